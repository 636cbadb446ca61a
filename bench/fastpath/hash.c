/* What a record's chain hash and a frame's MAC cost, by each way libcrypto offers. Prints one JSON object.
 * Backs docs/adr/0007: SHA-256 against BLAKE2b for the chain, copied states against EVP_MAC for frames. */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 9, CALLS = 20000, SIZES = 4 };
static const size_t sizes[SIZES] = {100, 200, 400, 800};
static uint8_t data[1024], out[64];
static EVP_MD *blake;
static EVP_MD_CTX *context;
static EVP_MAC_CTX *mac;
static SHA256_CTX inner, outer;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void chain_sha256(size_t size) {
    SHA256_CTX c;
    SHA256_Init(&c);
    SHA256_Update(&c, data, size);
    SHA256_Final(out, &c);
}

static void chain_sha256_evp(size_t size) { EVP_Digest(data, size, out, NULL, EVP_sha256(), NULL); }

static void chain_blake2b(size_t size) {
    unsigned int done;
    EVP_DigestInit_ex2(context, blake, NULL);
    EVP_DigestUpdate(context, data, size);
    EVP_DigestFinal_ex(context, out, &done);
}

static void mac_copied(size_t size) {
    SHA256_CTX i = inner, o = outer;
    SHA256_Update(&i, data, size);
    SHA256_Final(out, &i);
    SHA256_Update(&o, out, 32);
    SHA256_Final(out, &o);
}

static void mac_evp(size_t size) {
    size_t done;
    EVP_MAC_init(mac, NULL, 0, NULL);
    EVP_MAC_update(mac, data, size);
    EVP_MAC_final(mac, out, &done, 32);
}

static void mac_one_shot(size_t size) {
    unsigned int done;
    HMAC(EVP_sha256(), data, 32, data, size, out, &done);
}

static const struct {
    const char *name;
    void (*call)(size_t);
} ways[] = {{"chain_sha256", chain_sha256},   {"chain_sha256_evp", chain_sha256_evp},
            {"chain_blake2b", chain_blake2b}, {"mac_copied_states", mac_copied},
            {"mac_evp_reinit", mac_evp},      {"mac_one_shot", mac_one_shot}};
enum { WAYS = sizeof ways / sizeof *ways };

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(void) {
    static double samples[WAYS][SIZES][ROUNDS];
    uint8_t pad[64];
    OSSL_PARAM digest[2] = {OSSL_PARAM_construct_utf8_string("digest", "SHA256", 0), OSSL_PARAM_construct_end()};
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 7);
    blake = EVP_MD_fetch(NULL, "BLAKE2B-512", NULL);
    context = EVP_MD_CTX_new();
    mac = EVP_MAC_CTX_new(EVP_MAC_fetch(NULL, "HMAC", NULL));
    if (!blake || !context || !mac || !EVP_MAC_init(mac, data, 32, digest)) return 1;
    memset(pad, 0x36, 64);
    SHA256_Init(&inner);
    SHA256_Update(&inner, pad, 64);
    memset(pad, 0x5c, 64);
    SHA256_Init(&outer);
    SHA256_Update(&outer, pad, 64);
    for (int round = 0; round < ROUNDS; round++)
        for (int way = 0; way < WAYS; way++)
            for (int size = 0; size < SIZES; size++) {
                int64_t start = now_ns();
                for (int call = 0; call < CALLS; call++) {
                    data[0] = out[0]; /* each call waits for the one before, as a chain does */
                    ways[way].call(sizes[size]);
                }
                samples[way][size][round] = (double)(now_ns() - start) / CALLS;
            }
    printf("{");
    for (int way = 0; way < WAYS; way++) {
        printf("%s\"%s_ns\": {", way ? ", " : "", ways[way].name);
        for (int size = 0; size < SIZES; size++) {
            qsort(samples[way][size], ROUNDS, sizeof(double), by_value);
            printf("%s\"%zu\": %.0f", size ? ", " : "", sizes[size], samples[way][size][ROUNDS / 2]);
        }
        printf("}");
    }
    printf("}\n");
    return 0;
}
