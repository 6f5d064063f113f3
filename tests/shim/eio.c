/* Loaded before libc: below $CONNECT_EIO_BELOW nothing is synced while $CONNECT_EIO_SYNC exists, and nothing is written
 * while $CONNECT_EIO_WRITE does. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int fails(int fd, const char *name)
{
    const char *below = getenv("CONNECT_EIO_BELOW"), *file = getenv(name);
    if (!below || !file || access(file, F_OK) != 0)
        return 0;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return strncmp(path, below, strlen(below)) == 0;
}

static int eio(void)
{
    errno = EIO;
    return -1;
}

int fsync(int fd)
{
    return fails(fd, "CONNECT_EIO_SYNC") ? eio() : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return fails(fd, "CONNECT_EIO_SYNC") ? eio() : (int)syscall(SYS_fdatasync, fd);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset)
{
    return fails(fd, "CONNECT_EIO_WRITE") ? eio() : syscall(SYS_pwrite64, fd, bytes, count, offset);
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    return fails(fd, "CONNECT_EIO_WRITE") ? eio() : syscall(SYS_write, fd, bytes, count);
}
