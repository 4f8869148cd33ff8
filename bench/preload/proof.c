/* How many SHA-256 hashes of a salt and a number one core makes: as OpenSSL is called plainly, and with the salt's
 * block hashed once. Prints both, a second. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TRIED 2000000L

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

int main(void) {
    char text[96];
    unsigned char hash[SHA256_DIGEST_LENGTH], seen = 0;
    memset(text, 'a', 64);
    double began = seconds();
    for (long number = 0; number < TRIED; number++) {
        int digits = sprintf(text + 64, "%ld", number);
        SHA256((unsigned char *)text, 64 + digits, hash);
        seen ^= hash[0];
    }
    double plain = TRIED / (seconds() - began);
    SHA256_CTX salt;
    SHA256_Init(&salt);
    SHA256_Update(&salt, text, 64);
    began = seconds();
    for (long number = 0; number < TRIED; number++) {
        int digits = sprintf(text + 64, "%ld", number);
        SHA256_CTX begun = salt;
        SHA256_Update(&begun, text + 64, digits);
        SHA256_Final(hash, &begun);
        seen ^= hash[0];
    }
    printf("%.0f %.0f %d\n", plain, TRIED / (seconds() - began), seen);
    return 0;
}
