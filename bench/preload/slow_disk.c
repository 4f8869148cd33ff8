/* Makes each sync of a file take 2 ms longer: LD_PRELOAD of the slow-disk rows of `make bench`. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>

static int slowly(const char *name, int descriptor) {
    int (*real)(int) = dlsym(RTLD_NEXT, name);
    usleep(2000);
    return real(descriptor);
}

int fsync(int descriptor) { return slowly("fsync", descriptor); }
int fdatasync(int descriptor) { return slowly("fdatasync", descriptor); }
