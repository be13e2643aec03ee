// Symbolic and hard links.
#include "case.h"

static void readsLink(const char* path, size_t room) {
  char to[4096];
  long n = readlink(path, to, room);
  if (n < 0) SAY(path, "%s", nameOf(errno));
  else SAY(path, "'%.*s'", (int)n, to);
}
static void files(void) {
  put("file", "hello\n");
  mkdir("dir", 0755);
  put("dir/inner", "inner\n");
  symlink("file", "relative"), symlink("/conformance/mark", "absolute"), symlink("dir", "way"), symlink("loop", "loop");
  symlink("missing", "dangling"), symlink("/", "root"), symlink("../../../../..", "up"), symlink("relative", "chain");
}

CASE("a symbolic link leads to what it says") {
  files();
  TEXT(open("relative", O_RDONLY));
  TEXT(open("chain", O_RDONLY));
  TEXT(open("way/inner", O_RDONLY));
}

CASE("an absolute link begins at the root of the tree") {
  files();
  TEXT(open("absolute", O_RDONLY));
  TEXT(open("root/conformance/mark", O_RDONLY));
}

CASE("a link that goes above the root stays in the tree") {
  files();
  TEXT(open("up/conformance/mark", O_RDONLY));
  TEXT(open("root/../conformance/mark", O_RDONLY));
}

CASE("up from where a link leads is up from there") {
  files();
  symlink("../dir", "dir/sideways"), mkdir("dir/deep", 0755), symlink("dir/deep", "deep");
  TEXT(open("way/../file", O_RDONLY));
  TEXT(open("deep/../inner", O_RDONLY));
  TEXT(open("dir/sideways/inner", O_RDONLY));
  char text[256];
  chdir("deep");
  SAY("getcwd", "%s", strrchr(getcwd(text, sizeof text), '/'));
}

CASE("loops and chains of links have an end") {
  files();
  struct stat info;
  OPEN(open("loop", O_RDONLY));
  DO(stat("loop", &info));
  OPEN(open("loop/x", O_RDONLY));
  char from[16], to[16];
  strcpy(to, "file");
  for (int i = 0; i < 41; i++) snprintf(from, sizeof from, "l%d", i), symlink(to, from), strcpy(to, from);
  TEXT(open("l38", O_RDONLY));
  TEXT(open("l39", O_RDONLY));
  OPEN(open("l40", O_RDONLY));
}

CASE("a link can be kept from being followed") {
  files();
  OPEN(open("relative", O_RDONLY | O_NOFOLLOW));
  OPEN(open("relative", O_PATH | O_NOFOLLOW));
  OPEN(open("way", O_RDONLY | O_NOFOLLOW | O_DIRECTORY));
  OPEN(open("way/inner", O_RDONLY | O_NOFOLLOW));
  OPEN(open("way/", O_RDONLY | O_NOFOLLOW));
}

CASE("a dangling link is a place for a new file") {
  files();
  struct stat info;
  OPEN(open("dangling", O_RDONLY));
  OPEN(open("dangling", O_CREAT | O_EXCL | O_WRONLY, 0644));
  DO(mkdir("dangling", 0755));
  DO(mkdir("dangling/", 0755));
  DO(stat("dangling", &info));
  DO(lstat("dangling", &info));
  OPEN(open("dangling", O_CREAT | O_WRONLY, 0644));
  DO(access("missing", F_OK));
  symlink("nowhere/x", "lost");
  OPEN(open("lost", O_CREAT | O_WRONLY, 0644));
}

CASE("readlink gives the text as it was written") {
  files();
  symlink("//a//../b/", "odd");
  readsLink("relative", 4096);
  readsLink("absolute", 4096);
  readsLink("absolute", 4);
  readsLink("odd", 4096);
  readsLink("file", 4096);
  readsLink("nowhere", 4096);
  readsLink("way/", 4096);
  readsLink("way/inner", 4096);
  readsLink("relative", 0);
}

CASE("readlink of a descriptor of a link") {
  files();
  int fd = open("relative", O_PATH | O_NOFOLLOW);
  char to[64] = "";
  VALUE(readlinkat(fd, "", to, sizeof to - 1));
  SAY("text", "%s", to);
  VALUE(readlinkat(AT_FDCWD, "", to, sizeof to));
}

CASE("lstat shows the link, stat what it leads to") {
  files();
  struct stat info;
  HOLDS(lstat("relative", &info) == 0 && S_ISLNK(info.st_mode));
  VALUE(info.st_size);
  HOLDS(stat("relative", &info) == 0 && S_ISREG(info.st_mode));
  HOLDS(lstat("way/", &info) == 0 && S_ISDIR(info.st_mode));
  HOLDS(lstat("way/.", &info) == 0 && S_ISDIR(info.st_mode));
  HOLDS(fstatat(AT_FDCWD, "relative", &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode));
  DO(stat("dangling", &info));
}

CASE("unlink and rename take the link itself") {
  files();
  DO(unlink("relative"));
  DO(access("file", F_OK));
  DO(rmdir("way"));
  DO(unlink("way/"));
  DO(rename("absolute", "renamed"));
  readsLink("renamed", 4096);
  DO(rename("file", "dangling"));
  TEXT(open("dangling", O_RDONLY));
  readsLink("dangling", 4096);
}

CASE("symlink does not replace") {
  files();
  DO(symlink("x", "file"));
  DO(symlink("x", "relative"));
  DO(symlink("x", "dangling"));
  DO(symlink("", "empty"));
  DO(symlink("x", "nowhere/y"));
  DO(symlink("x", "new/"));
}

CASE("hard links are one file") {
  struct stat one, other;
  files();
  DO(link("file", "hard"));
  stat("file", &one), stat("hard", &other);
  HOLDS(one.st_ino == other.st_ino);
  VALUE(one.st_nlink);
  put("hard", "changed\n");
  TEXT(open("file", O_RDONLY));
  DO(link("file", "hard"));
  DO(link("dir", "hardDir"));
  DO(link("nowhere", "x"));
  DO(link("file", "nowhere/x"));
  DO(unlink("file"));
  TEXT(open("hard", O_RDONLY));
  stat("hard", &one);
  VALUE(one.st_nlink);
}

CASE("a hard link of a symbolic link, and of where it leads") {
  struct stat info;
  files();
  DO(linkat(AT_FDCWD, "relative", AT_FDCWD, "hardLink", 0));
  HOLDS(lstat("hardLink", &info) == 0 && S_ISLNK(info.st_mode));
  DO(linkat(AT_FDCWD, "relative", AT_FDCWD, "hardFile", AT_SYMLINK_FOLLOW));
  HOLDS(lstat("hardFile", &info) == 0 && S_ISREG(info.st_mode));
  DO(linkat(AT_FDCWD, "relative", AT_FDCWD, "x", 0x10000));
}

CASE("the longest text of a link") {
  char text[4200], back[4200];
  memset(text, 'x', sizeof text);
  text[4096] = 0;
  DO(symlink(text, "long"));
  text[4095] = 0;
  DO(symlink(text, "long"));
  VALUE(readlink("long", back, sizeof back));
  OPEN(open("long", O_RDONLY));
}
