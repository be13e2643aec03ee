// Kills what has been born last, for so many seconds: those of this user's processes that their tracer has not heard of yet.
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char** argv) {
  time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 3);
  int file = open("/proc/loadavg", O_RDONLY);
  pid_t own = getpid();
  while (time(NULL) < end) {
    char text[128];
    ssize_t size = pread(file, text, sizeof text - 1, 0);
    if (size <= 0) return 1;
    text[size] = 0;
    int last = atoi(strrchr(text, ' ') + 1);
    for (int pid = last; pid <= last + 2; pid++)
      if (pid > own) kill(pid, SIGKILL);
  }
  return 0;
}
