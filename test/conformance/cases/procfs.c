// /proc, as far as it is about the process itself.
#include "case.h"

static void where(const char* name, const char* path) {
  char to[4096];
  long n = readlink(path, to, sizeof to);
  if (n < 0) SAY(name, "%s", strerrorname_np(errno));
  else SAY(name, "%.*s", (int)n, to);
}

void procfs(void) {
  char path[64], to[256], text[4096];
  where("/proc/self/cwd", "/proc/self/cwd");
  where("/proc/self/root", "/proc/self/root");
  where("/proc/self/exe", "/proc/self/exe");
  where("/proc/thread-self/cwd", "/proc/thread-self/cwd");
  long n = readlink("/proc/self", to, sizeof to - 1);
  to[n < 0 ? 0 : n] = 0;
  SAY("/proc/self is this process", "%d", atoi(to) == getpid());
  snprintf(path, sizeof path, "/proc/%d/cwd", getpid());
  where("by its number", path);
  int fd = open("file", O_RDONLY);
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  where("a descriptor", path);
  show("opened anew", open(path, O_RDONLY));
  unlink("lost");
  put("lost", "still here\n");
  int lost = open("lost", O_RDONLY);
  unlink("lost");
  snprintf(path, sizeof path, "/proc/self/fd/%d", lost);
  show("of a file that has gone", open(path, O_RDONLY));
  int dir = open("dir", O_RDONLY | O_DIRECTORY);
  snprintf(path, sizeof path, "/proc/self/fd/%d/inner", dir);
  show("below a descriptor", open(path, O_RDONLY));
  snprintf(path, sizeof path, "/dev/fd/%d", fd);
  show("by way of /dev/fd", open(path, O_RDONLY));
  show("below /proc/self/cwd", open("/proc/self/cwd/dir/inner", O_RDONLY));
  show("below /proc/self/root", open("/proc/self/root/conformance/file", O_RDONLY));
  int ends[2];
  pipe(ends);
  snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
  n = readlink(path, to, sizeof to);
  SAY("a pipe", "%.5s", to);
  OPENS("can be opened", open(path, O_RDONLY | O_NONBLOCK));
  OPENS("the program itself can be read", open("/proc/self/exe", O_RDONLY));
  OPENS("not written", open("/proc/self/exe", O_WRONLY));
  show("its name", open("/proc/self/comm", O_RDONLY));
  FILE* maps = fopen("/proc/self/maps", "r");
  int found = 0, foreign = 0;
  while (maps && fgets(text, sizeof text, maps)) {
    char* name = strchr(text, '/');
    if (!name) continue;
    if (strncmp(name, "/conformance", 12) == 0) found = 1;
    else foreign = 1;
  }
  if (maps) fclose(maps);
  SAY("its maps show the program, and nothing of elsewhere", "%d %d", found, foreign);
  FILE* status = fopen("/proc/self/status", "r");
  while (status && fgets(text, sizeof text, status)) {
    text[strcspn(text, "\n")] = 0;
    if (strncmp(text, "Uid:", 4) == 0 || strncmp(text, "Gid:", 4) == 0 || strncmp(text, "TracerPid:", 10) == 0)
      SAY("status", "%s", text);
  }
  if (status) fclose(status);
  OPENS("what is no process", open("/proc/999999/status", O_RDONLY));
  DIR* list = opendir("/proc/self/fd");
  int count = 0;
  while (readdir(list)) count++;
  closedir(list);
  SAY("descriptors are listed", "%d", count > 4);
  SAY("the environment", "%d", access("/proc/self/environ", R_OK));
  close(fd), close(lost), close(dir), close(ends[0]), close(ends[1]);
}
