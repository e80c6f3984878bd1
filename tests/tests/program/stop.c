/* A library for LD_PRELOAD that stops nas-train at its checkpoint number STOP_AT, in the manner STOP:
 * `killbeforerename`: SIGKILL before the checkpoint gets its name, so that it does not count;
 * `killafterrename`: SIGKILL after it;
 * `fullthenterminate`: the checkpoint fails for lack of space, and SIGTERM ends the run after the current step;
 * `fullfromhere`: this checkpoint and all later ones fail for lack of space. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int rename(const char *from, const char *to) {
  static int number;
  int (*real)(const char *, const char *) = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
  const char *name = strrchr(from, '/'), *at = getenv("STOP_AT"), *stop = getenv("STOP");
  if (name == NULL || strcmp(name, "/unfinished") != 0 || at == NULL || stop == NULL || ++number < atoi(at))
    return real(from, to);
  if (strcmp(stop, "fullfromhere") == 0) {
    errno = ENOSPC;
    return -1;
  }
  if (number > atoi(at)) return real(from, to);
  if (strcmp(stop, "fullthenterminate") == 0) {
    kill(getpid(), SIGTERM);
    /* Another thread of the program receives the signal. */
    usleep(50000);
    errno = ENOSPC;
    return -1;
  }
  if (strcmp(stop, "killafterrename") == 0) real(from, to);
  kill(getpid(), SIGKILL);
  pause();
  return -1;
}
