// Sends a message with its ids in it, as sd_notify(3) and GDBus do.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void) {
  int ends[2];
  if (geteuid() == 0 || socketpair(AF_UNIX, SOCK_DGRAM, 0, ends)) return 1;
  struct ucred mine = {getpid(), getuid(), getgid()};
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof mine)];
  } control;
  memset(&control, 0, sizeof control);
  struct iovec part = {"x", 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  control.header.cmsg_level = SOL_SOCKET;
  control.header.cmsg_type = SCM_CREDENTIALS;
  control.header.cmsg_len = CMSG_LEN(sizeof mine);
  memcpy(CMSG_DATA(&control.header), &mine, sizeof mine);
  puts(sendmsg(ends[0], &message, 0) == 1 ? "sent" : strerror(errno));
  return 0;
}
