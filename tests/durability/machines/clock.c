/* A clock that can run fast and be set, for a whole tree of processes: LD_PRELOAD this, CLOCK_DIAL names the file
 * that holds the dial. Waits are shortened by the same speed, so that "sleep 60 s" takes 60 s of this clock.
 * The processes' own code is untouched: time.time(), time.monotonic(), Event.wait() and socket time-outs follow. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>
#include <poll.h>
#include <unistd.h>

struct dial {
    double speed;
    int64_t real_start;      /* ns of CLOCK_REALTIME and CLOCK_MONOTONIC when the dial was made */
    int64_t monotonic_start;
    int64_t set_forward;     /* ns by which somebody has set the wall clock; negative: back */
};

static const volatile struct dial *dial;
static int looked;

static void look(void) {
    const char *path = getenv("CLOCK_DIAL");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0) {
        void *page = mmap(NULL, sizeof *dial, PROT_READ, MAP_SHARED, file, 0);
        if (page != MAP_FAILED) dial = page;
        close(file);
    }
    looked = 1;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define READY() (looked || (look(), 1))

static int64_t ns(const struct timespec *at) { return at->tv_sec * 1000000000LL + at->tv_nsec; }

static struct timespec spec(int64_t at) {
    if (at < 0) at = 0;
    return (struct timespec){at / 1000000000LL, at % 1000000000LL};
}

static int is_wall(clockid_t clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE; }

static int is_ours(clockid_t clock) {
    return is_wall(clock) || clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE ||
           clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_BOOTTIME;
}

static int (*gettime)(clockid_t, struct timespec *);

int clock_gettime(clockid_t clock, struct timespec *at) {
    if (!gettime) gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    if (!READY() || !dial || !is_ours(clock)) return gettime(clock, at);
    struct timespec now;
    gettime(CLOCK_MONOTONIC, &now);
    int64_t run = (int64_t)((double)(ns(&now) - dial->monotonic_start) * dial->speed);
    *at = spec(is_wall(clock) ? dial->real_start + run + dial->set_forward : dial->monotonic_start + run);
    return 0;
}

int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}

/* The kernel's moment on CLOCK_MONOTONIC for a moment of our clock. */
static struct timespec kernel_moment(int wall, const struct timespec *at) {
    int64_t run = wall ? ns(at) - dial->set_forward - dial->real_start : ns(at) - dial->monotonic_start;
    return spec(dial->monotonic_start + (int64_t)((double)run / dial->speed));
}

static struct timespec kernel_span(const struct timespec *span) { return spec((int64_t)((double)ns(span) / dial->speed)); }

static int kernel_milliseconds(int milliseconds) {
    if (!READY() || !dial || milliseconds <= 0) return milliseconds;
    int shorter = (int)((double)milliseconds / dial->speed);
    return shorter > 0 ? shorter : 1;
}

int sem_clockwait(sem_t *sem, clockid_t clock, const struct timespec *until) {
    REAL(sem_clockwait);
    if (!READY() || !dial) return real(sem, clock, until);
    struct timespec at = kernel_moment(is_wall(clock), until);
    return real(sem, CLOCK_MONOTONIC, &at);
}

int sem_timedwait(sem_t *sem, const struct timespec *until) { return sem_clockwait(sem, CLOCK_REALTIME, until); }

int pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock, const struct timespec *until) {
    REAL(pthread_cond_clockwait);
    if (!READY() || !dial) return real(cond, mutex, clock, until);
    struct timespec at = kernel_moment(is_wall(clock), until);
    return real(cond, mutex, CLOCK_MONOTONIC, &at);
}

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until) {
    /* The condition knows its clock, we do not: an epoch is far beyond any time since boot. */
    return pthread_cond_clockwait(cond, mutex, until->tv_sec > 1000000000 ? CLOCK_REALTIME : CLOCK_MONOTONIC, until);
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *span, struct timespec *rest) {
    REAL(clock_nanosleep);
    if (!READY() || !dial || !is_ours(clock)) return real(clock, flags, span, rest);
    struct timespec at = flags & TIMER_ABSTIME ? kernel_moment(is_wall(clock), span) : kernel_span(span);
    return real(CLOCK_MONOTONIC, flags, &at, rest);
}

int poll(struct pollfd *files, nfds_t count, int milliseconds) {
    REAL(poll);
    return real(files, count, kernel_milliseconds(milliseconds));
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int milliseconds) {
    REAL(epoll_wait);
    return real(epoll, events, most, kernel_milliseconds(milliseconds));
}

int select(int count, fd_set *readable, fd_set *writable, fd_set *special, struct timeval *span) {
    REAL(select);
    if (!READY() || !dial || !span) return real(count, readable, writable, special, span);
    double shorter = ((double)span->tv_sec * 1e6 + (double)span->tv_usec) / dial->speed;
    struct timeval at = {(time_t)(shorter / 1e6), (suseconds_t)((int64_t)shorter % 1000000)};
    return real(count, readable, writable, special, &at);
}
