/*
 * A clock that is off: preloaded into the programs of one host, it adds an offset to the time of day they read.
 * All hosts share one kernel, and Linux has no namespace for the time of day. Programs that do not go through
 * the C library (Go programs such as etcd and the kubelet) and the times of files keep the kernel's clock.
 * Setting the clock moves the offset, so that a repair with `date -s` works as on a real host.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define OFFSET_FILE "/etc/lab-clock-offset"
#define SECOND 1000000000LL

static const volatile long long *offset_ns;

__attribute__((constructor)) static void attach(void)
{
    int saved = errno, file = open(OFFSET_FILE, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        void *page = mmap(NULL, sizeof *offset_ns, PROT_READ, MAP_SHARED, file, 0);
        if (page != MAP_FAILED)
            offset_ns = page;
        close(file);
    }
    errno = saved;
}

static int shifted(clockid_t clock)
{
    return offset_ns && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI);
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    int result = syscall(SYS_clock_gettime, clock, out);
    if (result == 0 && shifted(clock)) {
        long long ns = out->tv_sec * SECOND + out->tv_nsec + *offset_ns;
        out->tv_sec = ns / SECOND;
        out->tv_nsec = ns % SECOND;
    }
    return result;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *out, int base)
{
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, out) == 0 ? base : 0;
}

int clock_settime(clockid_t clock, const struct timespec *wanted)
{
    struct timespec now;
    long long offset;
    int file, written;
    if (!shifted(clock))
        return syscall(SYS_clock_settime, clock, wanted);
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
    offset = (wanted->tv_sec - now.tv_sec) * SECOND + wanted->tv_nsec - now.tv_nsec;
    file = open(OFFSET_FILE, O_WRONLY | O_CLOEXEC);
    written = file >= 0 && pwrite(file, &offset, sizeof offset, 0) == sizeof offset;
    if (file >= 0)
        close(file);
    if (!written)
        errno = EPERM;
    return written ? 0 : -1;
}

int settimeofday(const struct timeval *wanted, const struct timezone *zone)
{
    struct timespec exact;
    (void)zone;
    if (!wanted)
        return 0;
    exact.tv_sec = wanted->tv_sec;
    exact.tv_nsec = wanted->tv_usec * 1000;
    return clock_settime(CLOCK_REALTIME, &exact);
}
