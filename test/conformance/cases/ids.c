// Users and groups of a process.
#include <grp.h>
#include <sys/fsuid.h>

#include "case.h"

static void all(const char* name) {
  uid_t r, e, s;
  gid_t gr, ge, gs;
  getresuid(&r, &e, &s);
  getresgid(&gr, &ge, &gs);
  SAY(name, "%u,%u,%u %u,%u,%u", r, e, s, gr, ge, gs);
}

void ids(void) {
  all("root in the beginning");
  CHILD("a user for good", {
    CALL("setgid", setgid(50));
    CALL("setuid", setuid(1000));
    all("after that");
    CALL("there is no way back", setuid(0));
    CALL("nor to another", setresuid(-1, 0, -1));
    CALL("nor to other groups", setgroups(0, NULL));
    put("theirs", "x");
    struct stat info;
    stat("theirs", &info);
    SAY("a file of theirs", "%u:%u", info.st_uid, info.st_gid);
    CALL("which they may not give away", chown("theirs", 0, 0));
    CALL("others' they may not change", chmod("file", 0600));
    CALL("nor make devices", mknod("device", S_IFCHR, 0x103));
    CALL("nor name the host", sethostname("x", 1));
  });
  unlink("theirs");
  CHILD("for a while", {
    CALL("seteuid", seteuid(1000));
    all("root underneath");
    CALL("and back", seteuid(0));
    all("root again");
  });
  CHILD("one by one", {
    CALL("setresuid", setresuid(1, 2, 3));
    all("three ids");
    CALL("among them", setresuid(3, 1, 2));
    all("swapped");
    CALL("setreuid", setreuid(-1, 3));
    all("effective alone");
  });
  CHILD("groups", {
    gid_t set[] = {7, 5, 6};
    CALL("setgroups", setgroups(3, set));
    gid_t got[8];
    int n = getgroups(8, got);
    SAY("getgroups", "%d: %u %u %u", n, got[0], got[1], got[2]);
    CALL("getgroups of too little", getgroups(1, got));
  });
  int old = setfsuid(7), now = setfsuid(0);
  SAY("setfsuid returns the old one", "%d %d", old, now);
  CHILD("children have them", {
    setgid(3), setuid(4);
    CHILD("a child", all("the child's"));
  });
}
