/* System calls of the loop, each one line of meaning. Owns nothing; must never block except in titan_wait. */
#ifndef TITAN_SOCKETS_H
#define TITAN_SOCKETS_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { TITAN_READ = EPOLLIN, TITAN_HUNG = EPOLLHUP | EPOLLERR };

static inline int titan_epoll(void) { return epoll_create1(EPOLL_CLOEXEC); }

static inline int titan_watch_as(int epoll, int how, int fd, int tag, int writable) {
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN | (writable ? (uint32_t)EPOLLOUT : 0u);
    event.data.u32 = (uint32_t)tag;
    return epoll_ctl(epoll, how, fd, &event);
}

static inline int titan_watch(int epoll, int fd, int tag, int writable) {
    return titan_watch_as(epoll, EPOLL_CTL_ADD, fd, tag, writable);
}

static inline int titan_rewatch(int epoll, int fd, int tag, int writable) {
    return titan_watch_as(epoll, EPOLL_CTL_MOD, fd, tag, writable);
}

static inline int titan_wait(int epoll, int *tags, int *bits, int limit, int timeout_ms) {
    struct epoll_event events[64];
    int n = epoll_wait(epoll, events, limit < 64 ? limit : 64, timeout_ms);
    for (int i = 0; i < n; i++) {
        tags[i] = (int)events[i].data.u32;
        bits[i] = (int)events[i].events;
    }
    return n < 0 ? 0 : n;
}

static inline int titan_accept(int listener) {
    return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static inline int titan_same_user(int fd) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

static inline int titan_connect(const char *path) {
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, path, strnlen(path, sizeof address.sun_path - 1));
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Bytes received, 0 = nothing now, -1 = end or error. */
static inline int64_t titan_receive(int fd, uint8_t *to, int64_t size) {
    ssize_t n = recv(fd, to, (size_t)size, MSG_DONTWAIT);
    if (n > 0) return n;
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

/* Bytes taken, 0 = no room now, -1 = error. */
static inline int64_t titan_send(int fd, const uint8_t *data, int64_t size) {
    ssize_t n = send(fd, data, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0) return n;
    return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static inline int64_t titan_clock(clockid_t which) {
    struct timespec now;
    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int64_t titan_boottime(void) { return titan_clock(CLOCK_BOOTTIME); }
static inline int64_t titan_unix(void) { return titan_clock(CLOCK_REALTIME); }

static inline int titan_random(uint8_t *to, int size) {
    return getrandom(to, (size_t)size, 0) == size ? 0 : -1;
}

static inline int titan_pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return sched_setaffinity(0, sizeof set, &set);
}

static inline void titan_pause_ns(int64_t ns) {
    struct timespec wait = {ns / 1000000000, ns % 1000000000};
    nanosleep(&wait, NULL);
}
#endif
