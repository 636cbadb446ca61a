/* The floor: one request and one reply over a Unix stream socket, in bare C, with the frame sizes of FastPath.
 * floor REQUEST REPLY COUNT WINDOW CLIENT_CPU SERVER_CPU (cpu -1 = not pinned); prints one JSON object.
 * Window 1 gives latency; a larger one gives rate, with everything that one read brought answered by one write. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char buffer[1 << 20];

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void pin(int cpu) {
    cpu_set_t set;
    if (cpu < 0) return;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set)) exit(2);
}

static void send_all(int fd, size_t size) {
    for (size_t sent = 0; sent < size;) {
        ssize_t done = write(fd, buffer, size - sent);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) exit(3);
        sent += (size_t)done;
    }
}

static void serve(int fd, size_t request, size_t reply) {
    size_t held = 0;
    for (;;) {
        ssize_t got = read(fd, buffer, sizeof buffer / 2);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) exit(0);
        held += (size_t)got;
        size_t whole = held / request;
        held -= whole * request;
        if (whole) send_all(fd, whole * reply);
    }
}

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int main(int count_args, char **args) {
    if (count_args != 7) return 64;
    size_t request = strtoul(args[1], 0, 10), reply = strtoul(args[2], 0, 10);
    long count = strtol(args[3], 0, 10), window = strtol(args[4], 0, 10), warm = count / 10;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) return 1;
    pid_t child = fork();
    if (child == 0) {
        close(pair[0]);
        pin(atoi(args[6]));
        serve(pair[1], request, reply);
    }
    close(pair[1]);
    pin(atoi(args[5]));
    int64_t *took = calloc((size_t)(count + warm), sizeof *took), started = 0;
    size_t held = 0;
    long asked = 0, answered = 0;
    while (answered < count + warm) {
        if (answered >= warm && !started) started = now_ns();
        int64_t start = now_ns();
        long more = window - (asked - answered);
        if (more > count + warm - asked) more = count + warm - asked;
        if (more > 0) send_all(pair[0], (size_t)more * request);
        asked += more > 0 ? more : 0;
        long whole = 0;
        while (!whole) {
            ssize_t got = read(pair[0], buffer, sizeof buffer / 2);
            if (got <= 0) return 4;
            held += (size_t)got;
            whole = (long)(held / reply);
        }
        held -= (size_t)whole * reply;
        int64_t end = now_ns();
        for (long i = 0; i < whole && answered < count + warm; i++) took[answered++] = end - start;
    }
    double seconds = (double)(now_ns() - started) / 1e9;
    close(pair[0]);
    waitpid(child, 0, 0);
    qsort(took + warm, (size_t)count, sizeof *took, by_value);
    printf("{\"p50_ns\": %ld, \"p99_ns\": %ld, \"p999_ns\": %ld, \"per_second\": %.0f}\n", (long)took[warm + count / 2],
           (long)took[warm + count * 99 / 100], (long)took[warm + count * 999 / 1000], (double)count / seconds);
    return 0;
}
