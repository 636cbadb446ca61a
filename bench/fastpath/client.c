/* A FastPath client in C, for measuring alone: real handshake, real MACs, PREPARE then CONFIRM.
 *
 * client SOCKET KEY_ID PRINCIPAL COUNT WINDOW CPU < input
 * input: 32 bytes of key, 32 of policy hash, then u32 count and per template u32 size, u32 offset of the 16-byte
 * intent_id, the encoded IntentSignal. Templates are used in turn, each time with a fresh intent_id.
 * Window 1 times each round trip; a larger window gives orders per second, a PREPARE leaving for each ACCEPTED.
 * Prints one JSON object; exit 1 when anything was refused. */
#define _GNU_SOURCE
#include <errno.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { HEADER = 28, PREFIX = 60, MAC = 32, AROUND = 92, TEMPLATES = 4096, REASONS = 128 };
enum { HELLO = 1, PROOF = 2, PREPARE = 16, CONFIRM = 17, CHALLENGE = 64, READY = 65, PREPARED = 80, ACCEPTED = 81,
       REFUSED = 127 };

static struct { uint32_t size, id_at; uint8_t *bytes; } templates[TEMPLATES];
static uint32_t n_templates;
static struct { SHA256_CTX inner, outer; } keys[2];
static uint8_t policy_hash[32], out[1 << 20], in[1 << 20], run_id[8];
static uint64_t sent_counter, seen_counter, orders;
static size_t out_size, in_start, in_end;
static uint16_t key_id;
static long refused[REASONS];
static int fd;

static void die(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(2);
}

static int64_t clock_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void take(void *at, size_t size) {
    if (fread(at, 1, size, stdin) != size) die("input is cut");
}

static void key_set(int at, const uint8_t *secret, const uint8_t *salt, const char *principal, const char *direction) {
    uint8_t extracted[32], key[32], pad[64];
    char info[96];
    int size = snprintf(info, sizeof info - 1, "titan/uds/v1|%s|%s", principal, direction);
    info[size] = 1;
    HMAC(EVP_sha256(), salt, 32, secret, 32, extracted, 0);
    HMAC(EVP_sha256(), extracted, 32, (uint8_t *)info, (size_t)size + 1, key, 0);
    for (int i = 0; i < 64; i++) pad[i] = (uint8_t)((i < 32 ? key[i] : 0) ^ 0x36);
    SHA256_Init(&keys[at].inner);
    SHA256_Update(&keys[at].inner, pad, 64);
    SHA256_Update(&keys[at].inner, "titan.frame.v1", 15);
    for (int i = 0; i < 64; i++) pad[i] ^= 0x36 ^ 0x5c;
    SHA256_Init(&keys[at].outer);
    SHA256_Update(&keys[at].outer, pad, 64);
}

static void mac(int at, const uint8_t *data, size_t size, uint8_t *to) {
    SHA256_CTX inner = keys[at].inner, outer = keys[at].outer;
    SHA256_Update(&inner, data, size);
    SHA256_Final(to, &inner);
    SHA256_Update(&outer, to, 32);
    SHA256_Final(to, &outer);
}

static uint8_t *frame_begin(void) { return out + out_size + PREFIX; }

static void frame_end(uint8_t type, uint32_t size, int sealed) {
    uint8_t *at = out + out_size;
    uint64_t counter = sealed ? ++sent_counter : 0;
    int64_t ts = clock_ns(CLOCK_BOOTTIME);
    memcpy(at, "TTN1\x01", 5);
    at[5] = type;
    memcpy(at + 6, &key_id, 2);
    memcpy(at + 8, &size, 4);
    memcpy(at + 12, &counter, 8);
    memcpy(at + 20, &ts, 8);
    memcpy(at + HEADER, policy_hash, 32);
    if (sealed) mac(0, at, PREFIX + size, at + PREFIX + size);
    else memset(at + PREFIX + size, 0, MAC);
    out_size += AROUND + size;
}

static void flush_out(void) {
    for (size_t sent = 0; sent < out_size;) {
        ssize_t done = send(fd, out + sent, out_size - sent, MSG_NOSIGNAL);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) die("send: %s", strerror(errno));
        sent += (size_t)done;
    }
    out_size = 0;
}

/* The next whole frame, if one is there. */
static int frame_ready(uint8_t *type, uint8_t **payload, uint32_t *size, int sealed) {
    uint8_t own[32], *at = in + in_start;
    uint64_t counter;
    if (in_end - in_start < HEADER) return 0;
    if (memcmp(at, "TTN1\x01", 5)) die("no frame");
    memcpy(size, at + 8, 4);
    if (*size > 65536) die("oversize answer");
    if (in_end - in_start < AROUND + *size) return 0;
    if (sealed) {
        mac(1, at, PREFIX + *size, own);
        memcpy(&counter, at + 12, 8);
        if (memcmp(own, at + PREFIX + *size, 32) || counter != ++seen_counter) die("answer not genuine");
    }
    *type = at[5];
    *payload = at + PREFIX;
    in_start += AROUND + *size;
    return 1;
}

static void receive(void) {
    if (in_start == in_end) in_start = in_end = 0;
    if (in_end > sizeof in / 2) {
        memmove(in, in + in_start, in_end - in_start);
        in_end -= in_start;
        in_start = 0;
    }
    ssize_t got = recv(fd, in + in_end, sizeof in - in_end, 0);
    if (got < 0 && errno == EINTR) return;
    if (got <= 0) die("the server closed the connection");
    in_end += (size_t)got;
}

static void wait_frame(uint8_t *type, uint8_t **payload, uint32_t *size, int sealed) {
    while (!frame_ready(type, payload, size, sealed)) receive();
}

static uint64_t varint(uint8_t **at) {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) break;
    }
    return value;
}

/* Field `wanted` of a message of varints and byte strings: its number, or its bytes through *inside. */
static uint64_t field(uint8_t *at, uint8_t *end, unsigned wanted, uint8_t **inside) {
    while (at < end) {
        uint64_t tag = varint(&at), value = varint(&at);
        if (tag >> 3 == wanted) {
            if (inside) *inside = at;
            return value;
        }
        if ((tag & 7) == 2) at += value;
    }
    return 0;
}

static uint8_t *put_varint(uint8_t *at, uint64_t value) {
    for (; value > 0x7f; value >>= 7) *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

static void put_prepare(void) {
    uint32_t which = (uint32_t)(orders % n_templates), size = templates[which].size;
    uint8_t *start = frame_begin(), *at = start, *id;
    *at++ = 0x0a;
    at = put_varint(at, size);
    memcpy(at, templates[which].bytes, size);
    id = at + templates[which].id_at;
    memcpy(id, run_id, 8);
    memcpy(id + 8, &orders, 8);
    orders++;
    frame_end(PREPARE, (uint32_t)(at + size - start), 1);
}

static void put_confirm(uint8_t *payload, uint32_t size) {
    uint8_t *id = 0, *start = frame_begin(), *at = start;
    field(payload, payload + size, 1, &id);
    uint64_t token = field(payload, payload + size, 2, 0);
    *at++ = 0x0a;
    *at++ = 16;
    memcpy(at, id, 16);
    at += 16;
    *at++ = 0x10;
    at = put_varint(at, token);
    frame_end(CONFIRM, (uint32_t)(at - start), 1);
}

static void count_refusal(uint8_t *payload, uint32_t size) {
    uint8_t *inside = 0;
    uint64_t length = field(payload, payload + size, 2, &inside);
    uint64_t reason = inside ? field(inside, inside + length, 1, 0) : 0;
    refused[reason < REASONS ? reason : 0]++;
}

static void open_session(const char *path, const char *principal, const uint8_t *secret) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    uint8_t salt[32], type, *payload, *nonce = 0, *at;
    uint32_t size, name = (uint32_t)strlen(principal);
    if (strlen(path) >= sizeof address.sun_path || name > 24) die("path or principal too long");
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) die("connect: %s", strerror(errno));
    if (RAND_bytes(salt, 16) != 1 || RAND_bytes(run_id, 8) != 1) die("no randomness");
    at = frame_begin();
    *at++ = 0x0a;
    *at++ = (uint8_t)name;
    memcpy(at, principal, name);
    at[name] = 0x12;
    at[name + 1] = 16;
    memcpy(at + name + 2, salt, 16);
    frame_end(HELLO, name + 20, 0);
    flush_out();
    wait_frame(&type, &payload, &size, 0);
    if (type != CHALLENGE || field(payload, payload + size, 1, &nonce) != 16) die("no challenge");
    memcpy(salt + 16, nonce, 16);
    key_set(0, secret, salt, principal, "c2s");
    key_set(1, secret, salt, principal, "s2c");
    frame_end(PROOF, 0, 1);
    flush_out();
    wait_frame(&type, &payload, &size, 1);
    if (type != READY) die("not let in");
}

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void print_times(const char *name, int64_t *took, long count) {
    qsort(took, (size_t)count, sizeof *took, by_value);
    printf("\"%s\": {\"p50_ns\": %ld, \"p99_ns\": %ld, \"p999_ns\": %ld}, ", name, (long)took[count / 2],
           (long)took[count * 99 / 100], (long)took[count * 999 / 1000]);
}

/* One order at a time: each half timed, from building the request to the checked answer. */
static long run_latency(long count) {
    int64_t *prepare = calloc((size_t)count, 8), *confirm = calloc((size_t)count, 8), *both = calloc((size_t)count, 8);
    long done = 0, tried = 0;
    uint8_t type, *payload;
    uint32_t size;
    for (; tried < count + count / 10; tried++) {
        int64_t start = clock_ns(CLOCK_MONOTONIC);
        put_prepare();
        flush_out();
        wait_frame(&type, &payload, &size, 1);
        int64_t middle = clock_ns(CLOCK_MONOTONIC);
        if (type != PREPARED) {
            count_refusal(payload, size);
            continue;
        }
        put_confirm(payload, size);
        flush_out();
        wait_frame(&type, &payload, &size, 1);
        int64_t end = clock_ns(CLOCK_MONOTONIC);
        if (type != ACCEPTED) {
            count_refusal(payload, size);
            continue;
        }
        if (tried < count / 10) continue;
        prepare[done] = middle - start;
        confirm[done] = end - middle;
        both[done++] = end - start;
    }
    if (done) {
        print_times("prepare", prepare, done);
        print_times("confirm", confirm, done);
        print_times("both", both, done);
    }
    return done;
}

static long run_rate(long count, long window) {
    long done = 0, asked = 0, over = 0;
    int64_t start = clock_ns(CLOCK_MONOTONIC);
    for (; asked < window && asked < count; asked++) put_prepare();
    flush_out();
    while (over < count) {
        uint8_t type, *payload;
        uint32_t size;
        receive();
        while (frame_ready(&type, &payload, &size, 1)) {
            if (type == PREPARED) {
                put_confirm(payload, size);
                continue;
            }
            if (type == ACCEPTED) done++;
            else count_refusal(payload, size);
            over++;
            if (asked < count) {
                put_prepare();
                asked++;
            }
        }
        if (out_size) flush_out();
    }
    double seconds = (double)(clock_ns(CLOCK_MONOTONIC) - start) / 1e9;
    printf("\"orders_per_second\": %.0f, ", (double)done / seconds);
    return done;
}

int main(int n, char **args) {
    uint8_t secret[32];
    if (n != 7) return 64;
    key_id = (uint16_t)atoi(args[2]);
    long count = atol(args[4]), window = atol(args[5]);
    int cpu = atoi(args[6]);
    if (cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        if (sched_setaffinity(0, sizeof set, &set)) die("cannot pin to cpu %d", cpu);
    }
    take(secret, 32);
    take(policy_hash, 32);
    take(&n_templates, 4);
    if (n_templates == 0 || n_templates > TEMPLATES) die("1 to %d templates", TEMPLATES);
    for (uint32_t i = 0; i < n_templates; i++) {
        take(&templates[i].size, 4);
        take(&templates[i].id_at, 4);
        if (templates[i].size > 4096) die("template too large");
        templates[i].bytes = malloc(templates[i].size);
        take(templates[i].bytes, templates[i].size);
    }
    open_session(args[1], args[3], secret);
    printf("{");
    long done = window > 1 ? run_rate(count, window) : run_latency(count);
    long all = 0;
    printf("\"accepted\": %ld, \"refused\": {", done);
    for (int reason = 0; reason < REASONS; reason++)
        if (refused[reason]) {
            printf("%s\"%d\": %ld", all ? ", " : "", reason, refused[reason]);
            all += refused[reason];
        }
    printf("}}\n");
    return all ? 1 : 0;
}
