// Local sockets.
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "case.h"

static socklen_t named(struct sockaddr_un* to, const char* path) {
  memset(to, 0, sizeof *to);
  to->sun_family = AF_UNIX;
  strncpy(to->sun_path, path, sizeof to->sun_path);
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
}

static void withPath(const char* what, const char* path) {
  char name[128];
  struct sockaddr_un address, got;
  socklen_t size = named(&address, path), length = sizeof got;
  int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
  snprintf(name, sizeof name, "bind %s", what);
  CALL(name, bind(server, (struct sockaddr*)&address, size));
  listen(server, 5);
  snprintf(name, sizeof name, "connect %s", what);
  CALL(name, connect(client, (struct sockaddr*)&address, size));
  memset(&got, 0, sizeof got);
  getsockname(server, (struct sockaddr*)&got, &length);
  snprintf(name, sizeof name, "getsockname %s", what);
  SAY(name, "%s %u", got.sun_path, length);
  memset(&got, 0, sizeof got);
  length = sizeof got;
  getpeername(client, (struct sockaddr*)&got, &length);
  snprintf(name, sizeof name, "getpeername %s", what);
  SAY(name, "%s", got.sun_path);
  int other = socket(AF_UNIX, SOCK_STREAM, 0);
  snprintf(name, sizeof name, "bind again %s", what);
  CALL(name, bind(other, (struct sockaddr*)&address, size));
  struct stat info;
  snprintf(name, sizeof name, "stat %s", what);
  SAY(name, "%d", stat(path, &info) == 0 && S_ISSOCK(info.st_mode));
  close(server), close(client), close(other);
  unlink(path);
}

void sockets(void) {
  withPath("of an absolute path", HOME "/socket");
  withPath("of a relative path", "socket");
  char path[108];
  snprintf(path, sizeof path, HOME "/dir/%080d", 7);
  withPath("of a long path", path);
  struct sockaddr_un address;
  socklen_t size = named(&address, HOME "/datagrams");
  int server = socket(AF_UNIX, SOCK_DGRAM, 0), client = socket(AF_UNIX, SOCK_DGRAM, 0);
  bind(server, (struct sockaddr*)&address, size);
  char text[16] = "";
  CALL("sendto", sendto(client, "one", 3, 0, (struct sockaddr*)&address, size));
  recv(server, text, sizeof text, 0);
  SAY("arrives", "%s", text);
  struct iovec part = {"two", 3};
  struct msghdr message = {.msg_name = &address, .msg_namelen = size, .msg_iov = &part, .msg_iovlen = 1};
  CALL("sendmsg", sendmsg(client, &message, 0));
  recv(server, text, sizeof text, 0);
  SAY("arrives, too", "%s", text);
  unlink("datagrams");
  CALL("sendto nobody", sendto(client, "x", 1, 0, (struct sockaddr*)&address, size));
  int on = 1, ends[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  struct ucred peer;
  socklen_t length = sizeof peer;
  getsockopt(ends[0], SOL_SOCKET, SO_PEERCRED, &peer, &length);
  SAY("the other end's ids", "%u:%u", peer.uid, peer.gid);
  setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  struct {
    struct cmsghdr header;
    struct ucred ids;
  } control = {{CMSG_LEN(sizeof(struct ucred)), SOL_SOCKET, SCM_CREDENTIALS}, {getpid(), 0, 0}};
  struct msghdr signedOne = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  CALL("root sends its ids", sendmsg(ends[1], &signedOne, 0));
  address.sun_path[0] = 0;
  strcpy(address.sun_path + 1, "conformance-abstract");
  int abstract = socket(AF_UNIX, SOCK_STREAM, 0);
  CALL("an abstract name", bind(abstract, (struct sockaddr*)&address, 24));
  close(abstract), close(server), close(client), close(ends[0]), close(ends[1]);
}
