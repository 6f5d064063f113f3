/* Loaded before libc: counts what is synced, in the eight bytes of $CONNECT_SYNCS that everybody who wants may read. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint64_t *count;

__attribute__((constructor)) static void look(void)
{
    const char *path = getenv("CONNECT_SYNCS");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *shared = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (shared != MAP_FAILED)
        count = shared;
}

static long counted(long number, int fd)
{
    if (count)
        __atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
    return syscall(number, fd);
}

int fsync(int fd)
{
    return (int)counted(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return (int)counted(SYS_fdatasync, fd);
}
