// Sockets, above all those with a path.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/un.h>

#include "case.h"

static socklen_t address(struct sockaddr_un* to, const char* path) {
  memset(to, 0, sizeof *to);
  to->sun_family = AF_UNIX;
  strncpy(to->sun_path, path, sizeof to->sun_path);
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
}
static int bound(const char* path, int type) {
  struct sockaddr_un name;
  socklen_t size = address(&name, path);
  int fd = socket(AF_UNIX, type, 0);
  SAY("bind", "%s: %s", path, bind(fd, (struct sockaddr*)&name, size) < 0 ? nameOf(errno) : "ok");
  if (type != SOCK_DGRAM) listen(fd, 5);
  return fd;
}
static int connected(const char* path, int type) {
  struct sockaddr_un name;
  socklen_t size = address(&name, path);
  int fd = socket(AF_UNIX, type, 0);
  SAY("connect", "%s: %s", path, connect(fd, (struct sockaddr*)&name, size) < 0 ? nameOf(errno) : "ok");
  return fd;
}
static void sayName(const char* what, long result, const struct sockaddr_un* name, socklen_t size) {
  if (result < 0) SAY(what, "%s", nameOf(errno));
  else if (size <= offsetof(struct sockaddr_un, sun_path)) SAY(what, "no name, %u", size);
  else SAY(what, "'%s' of %u", name->sun_path[0] ? name->sun_path : name->sun_path + 1, size);
}
static void names(int fd) {
  struct sockaddr_un name;
  socklen_t size = sizeof name;
  memset(&name, 0, sizeof name);
  long result = getsockname(fd, (struct sockaddr*)&name, &size);
  sayName("own name", result, &name, size);
  memset(&name, 0, sizeof name), size = sizeof name;
  result = getpeername(fd, (struct sockaddr*)&name, &size);
  sayName("peer's name", result, &name, size);
}

CASE("a socket is bound, reached and named by its path") {
  int server = bound("/conformance/socket", SOCK_STREAM), client = connected("/conformance/socket", SOCK_STREAM);
  struct sockaddr_un name;
  socklen_t size = sizeof name;
  memset(&name, 0, sizeof name);
  int peer = accept(server, (struct sockaddr*)&name, &size);
  sayName("accept", peer, &name, size);
  VALUE(write(client, "hello", 5));
  char text[16] = "";
  VALUE(read(peer, text, sizeof text));
  names(server), names(client), names(peer);
  struct stat info;
  HOLDS(stat("/conformance/socket", &info) == 0 && S_ISSOCK(info.st_mode));
  DO(unlink("/conformance/socket"));
  connected("/conformance/socket", SOCK_STREAM);
}

CASE("a relative path of a socket") {
  int server = bound("socket", SOCK_STREAM), client = connected("./socket", SOCK_STREAM);
  names(server), names(client);
  mkdir("dir", 0755), chdir("dir");
  connected("../socket", SOCK_STREAM);
  symlink("../socket", "link");
  connected("link", SOCK_STREAM);
  bound("../socket", SOCK_STREAM);
  bound("nowhere/socket", SOCK_STREAM);
  connected("nowhere", SOCK_STREAM);
  put("file", "");
  connected("file", SOCK_STREAM);
}

CASE("paths of sockets of the greatest length") {
  char name[120];
  memset(name, 's', sizeof name);
  memcpy(name, "/conformance/", 13), name[107] = 0;
  int server = bound(name, SOCK_STREAM);
  connected(name, SOCK_STREAM);
  names(server);
  struct stat info;
  HOLDS(stat(name, &info) == 0 && S_ISSOCK(info.st_mode));
  bound(name, SOCK_STREAM);
  int peer = accept(server, NULL, NULL);
  VALUE(write(peer, "x", 1));
  DIR* directory = opendir("/conformance");
  for (struct dirent* entry; (entry = readdir(directory));)
    if (entry->d_name[0] == '.' && strlen(entry->d_name) > 2) SAY("left", "%s", entry->d_name);
  closedir(directory);
  DO(unlink(name));
  name[106] = '/', name[107] = 'x', name[108] = 0;
  bound(name, SOCK_STREAM);
  name[107] = 0;
  struct sockaddr_un full;
  memset(name, 't', sizeof name), name[108] = 0;
  address(&full, name);
  server = socket(AF_UNIX, SOCK_STREAM, 0);
  DO(bind(server, (struct sockaddr*)&full, sizeof full));
  char path[128];
  memcpy(path, full.sun_path, 108), path[108] = 0;
  DO(access(path, F_OK));
  struct sockaddr_storage got;
  socklen_t size = sizeof got;
  getsockname(server, (struct sockaddr*)&got, &size);
  VALUE(size);
  DO(bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr*)&full, 111));
  DO(bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr*)&full, 1));
  DO(bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr*)8, 20));
}

CASE("datagrams go to a path and say where they are from") {
  int server = bound("server", SOCK_DGRAM), client = bound("client", SOCK_DGRAM);
  struct sockaddr_un name;
  socklen_t size = address(&name, "server");
  VALUE(sendto(client, "one", 3, 0, (struct sockaddr*)&name, size));
  char text[16] = "";
  memset(&name, 0, sizeof name), size = sizeof name;
  long n = recvfrom(server, text, sizeof text, 0, (struct sockaddr*)&name, &size);
  sayName("recvfrom", n, &name, size);
  VALUE(sendto(server, "two", 3, 0, (struct sockaddr*)&name, size));
  VALUE(recv(client, text, sizeof text, 0));
  size = address(&name, "nowhere");
  VALUE(sendto(client, "x", 1, 0, (struct sockaddr*)&name, size));
}

CASE("messages with a path, one and several at once") {
  int server = bound("server", SOCK_DGRAM), client = bound("client", SOCK_DGRAM);
  struct sockaddr_un to, from;
  struct iovec part = {"part", 4};
  struct msghdr message = {.msg_name = &to, .msg_namelen = address(&to, "server"), .msg_iov = &part, .msg_iovlen = 1};
  VALUE(sendmsg(client, &message, 0));
  struct mmsghdr several[2] = {{message, 0}, {message, 0}};
  VALUE(sendmmsg(client, several, 2, 0));
  SAY("name after that", "%s %u", to.sun_path, message.msg_namelen);
  char room[16];
  struct iovec into = {room, sizeof room};
  memset(&from, 0, sizeof from);
  struct msghdr got = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &into, .msg_iovlen = 1};
  long n = recvmsg(server, &got, 0);
  sayName("recvmsg", n, &from, got.msg_namelen);
  struct mmsghdr receive[2] = {{got, 0}, {got, 0}};
  receive[0].msg_hdr.msg_namelen = receive[1].msg_hdr.msg_namelen = sizeof from;
  VALUE(recvmmsg(server, receive, 2, MSG_DONTWAIT, NULL));
}

CASE("several messages at once go each to its path") {
  int first = bound("first", SOCK_DGRAM), second = bound("second", SOCK_DGRAM), client = bound("client", SOCK_DGRAM);
  struct sockaddr_un to[20];
  struct iovec part = {"part", 4};
  struct mmsghdr several[20];
  memset(several, 0, sizeof several);
  for (int i = 0; i < 20; i++) {
    char path[64];
    snprintf(path, sizeof path, "/conformance/../conformance/%s", i % 3 == 1 ? "link1" : "link2");
    several[i].msg_hdr.msg_name = &to[i], several[i].msg_hdr.msg_namelen = address(&to[i], path);
    several[i].msg_hdr.msg_iov = &part, several[i].msg_hdr.msg_iovlen = 1;
  }
  char here[200], target[256];
  getcwd(here, sizeof here);
  unlink("/conformance/link1"), unlink("/conformance/link2");
  snprintf(target, sizeof target, "%s/first", here), symlink(target, "/conformance/link1");
  snprintf(target, sizeof target, "%s/second", here), symlink(target, "/conformance/link2");
  // who is told of fewer goes on with the rest
  int sent = 0, n;
  while (sent < 9 && (n = sendmmsg(client, several + sent, (unsigned)(9 - sent), MSG_DONTWAIT)) > 0) sent += n;
  VALUE(sent);
  HOLDS(several[0].msg_len == 4 && several[8].msg_len == 4);
  char text[16];
  int got[2] = {0, 0};
  while (recv(first, text, sizeof text, MSG_DONTWAIT) == 4) got[0]++;
  while (recv(second, text, sizeof text, MSG_DONTWAIT) == 4) got[1]++;
  SAY("received", "%d and %d", got[0], got[1]);
  // with no name it goes to the one that is connected
  several[0].msg_hdr.msg_name = NULL, several[0].msg_hdr.msg_namelen = 0;
  socklen_t size = address(&to[0], "first");
  connect(client, (struct sockaddr*)&to[0], size);
  sent = 0;
  while (sent < 2 && (n = sendmmsg(client, several + sent, (unsigned)(2 - sent), MSG_DONTWAIT)) > 0) sent += n;
  VALUE(sent);
  while (recv(first, text, sizeof text, MSG_DONTWAIT) == 4) got[0]++;
  SAY("received", "%d", got[0]);
  address(&to[2], "/conformance/nowhere");
  several[2].msg_hdr.msg_namelen = address(&to[2], "/conformance/nowhere");
  sent = 1;
  while (sent < 4 && (n = sendmmsg(client, several + sent, (unsigned)(4 - sent), MSG_DONTWAIT)) > 0) sent += n;
  SAY("up to the one that fails", "%d %s", sent, nameOf(errno));
}

CASE("who has connected or sent is named by a path of the tree") {
  int server = bound("/conformance/here", SOCK_STREAM), client = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un name;
  socklen_t size = address(&name, "/conformance/there");
  DO(bind(client, (struct sockaddr*)&name, size));
  size = address(&name, "/conformance/here");
  DO(connect(client, (struct sockaddr*)&name, size));
  memset(&name, 0, sizeof name), size = sizeof name;
  int peer = accept(server, (struct sockaddr*)&name, &size);
  sayName("accept", peer, &name, size);
  int other = socket(AF_UNIX, SOCK_STREAM, 0);
  size = address(&name, "/conformance/elsewhere");
  DO(bind(other, (struct sockaddr*)&name, size));
  size = address(&name, "/conformance/here");
  connect(other, (struct sockaddr*)&name, size);
  memset(&name, 0, sizeof name), size = sizeof name;
  sayName("accept4", accept4(server, (struct sockaddr*)&name, &size, SOCK_CLOEXEC), &name, size);
  connected("/conformance/here", SOCK_STREAM);
  HOLDS(accept4(server, NULL, NULL, 0) >= 0);
  names(peer), names(client);
  int to = bound("/conformance/to", SOCK_DGRAM), from = bound("/conformance/from", SOCK_DGRAM);
  size = address(&name, "/conformance/to");
  for (int i = 0; i < 5; i++) sendto(from, "one", 3, 0, (struct sockaddr*)&name, size);
  char text[16];
  memset(&name, 0, sizeof name), size = sizeof name;
  long n = recvfrom(to, text, sizeof text, 0, (struct sockaddr*)&name, &size);
  sayName("recvfrom", n, &name, size);
  struct iovec part = {text, sizeof text};
  struct msghdr message = {.msg_name = &name, .msg_namelen = sizeof name, .msg_iov = &part, .msg_iovlen = 1};
  memset(&name, 0, sizeof name);
  n = recvmsg(to, &message, 0);
  sayName("recvmsg", n, &name, message.msg_namelen);
  struct sockaddr_un two[2];
  memset(two, 0, sizeof two);
  struct mmsghdr several[2] = {{message, 0}, {message, 0}};
  for (int i = 0; i < 2; i++) several[i].msg_hdr.msg_name = &two[i], several[i].msg_hdr.msg_namelen = sizeof name;
  VALUE(recvmmsg(to, several, 2, MSG_DONTWAIT, NULL));
  sayName("first", 0, &two[0], several[0].msg_hdr.msg_namelen);
  sayName("second", 0, &two[1], several[1].msg_hdr.msg_namelen);
  HOLDS(recv(to, text, sizeof text, MSG_DONTWAIT) == 3);
  HOLDS(recvfrom(to, text, sizeof text, MSG_DONTWAIT, NULL, NULL) < 0 && errno == EAGAIN);
  const char* all[] = {"here", "there", "elsewhere", "to", "from"};
  for (int i = 0; i < 5; i++) {
    char path[64];
    snprintf(path, sizeof path, "/conformance/%s", all[i]);
    unlink(path);
  }
}

CASE("abstract sockets and pairs") {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  snprintf(name.sun_path + 1, 60, "conformance-%ld-%d", (long)time(NULL), getpid());
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name.sun_path + 1));
  int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
  DO(bind(server, (struct sockaddr*)&name, size));
  listen(server, 1);
  DO(connect(client, (struct sockaddr*)&name, size));
  struct sockaddr_un got;
  socklen_t room = sizeof got;
  memset(&got, 0, sizeof got);
  getpeername(client, (struct sockaddr*)&got, &room);
  HOLDS(room == size && memcmp(&got, &name, size) == 0);
  int ends[2];
  DO(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends));
  names(ends[0]);
  int automatic = socket(AF_UNIX, SOCK_DGRAM, 0);
  DO(bind(automatic, (struct sockaddr*)&name, sizeof name.sun_family));
}

CASE("the peer of a socket is root in the tree") {
  int ends[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  struct ucred who;
  socklen_t size = sizeof who;
  DO(getsockopt(ends[0], SOL_SOCKET, SO_PEERCRED, &who, &size));
  SAY("peer", "%u:%u %d", who.uid, who.gid, who.pid == getpid());
  int server = bound("socket", SOCK_STREAM);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    setgid(7), setuid(8);
    connected("/conformance/nowhere", SOCK_STREAM);
    _exit(0);
  }
  sayChild("child", child);
  close(server);
}

CASE("credentials travel with a message") {
  int ends[2], on = 1;
  socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
  setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  VALUE(write(ends[1], "x", 1));
  char byte, room[CMSG_SPACE(sizeof(struct ucred))];
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
  VALUE(recvmsg(ends[0], &message, 0));
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  HOLDS(header != NULL && header->cmsg_type == SCM_CREDENTIALS);
  if (header) {
    struct ucred* who = (struct ucred*)CMSG_DATA(header);
    SAY("sender", "%u:%u %d", who->uid, who->gid, who->pid == getpid());
  }
  struct ucred mine = {getpid(), 0, 0};
  header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_CREDENTIALS, header->cmsg_len = CMSG_LEN(sizeof mine);
  memcpy(CMSG_DATA(header), &mine, sizeof mine);
  message.msg_controllen = sizeof room;
  VALUE(sendmsg(ends[1], &message, 0));
  struct mmsghdr several = {message, 0};
  VALUE(recvmmsg(ends[0], &several, 1, 0, NULL));
  struct ucred* who = (struct ucred*)CMSG_DATA(CMSG_FIRSTHDR(&several.msg_hdr));
  SAY("sender of several", "%u:%u %d", who->uid, who->gid, who->pid == getpid());
  int done[2];
  pipe(done);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    setgid(7), setuid(8);
    VALUE(write(ends[1], "y", 1));
    message.msg_controllen = sizeof room;
    mine.pid = getpid();
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &mine, sizeof mine);
    VALUE(sendmsg(ends[1], &message, 0));
    mine = (struct ucred){getppid(), 8, 7};
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &mine, sizeof mine);
    VALUE(sendmsg(ends[1], &message, 0));
    mine = (struct ucred){getpid(), 8, 7};
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &mine, sizeof mine);
    VALUE(sendmsg(ends[1], &message, 0));
    write(done[1], "x", 1);
    pause();
  }
  read(done[0], &byte, 1);
  for (int i = 0; i < 2; i++) {
    message.msg_controllen = sizeof room;
    VALUE(recvmsg(ends[0], &message, 0));
    who = (struct ucred*)CMSG_DATA(CMSG_FIRSTHDR(&message));
    SAY("sender", "%u:%u %d", who->uid, who->gid, who->pid == child);
  }
  kill(child, SIGKILL);
  sayChild("child", child);
}

CASE("the network of the host is used") {
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof name;
  int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
  DO(bind(server, (struct sockaddr*)&name, sizeof name));
  DO(listen(server, 1));
  DO(getsockname(server, (struct sockaddr*)&name, &size));
  HOLDS(name.sin_port != 0 && size == sizeof name);
  DO(connect(client, (struct sockaddr*)&name, size));
  VALUE(write(client, "hello", 5));
  int peer = accept4(server, (struct sockaddr*)&name, &size, SOCK_CLOEXEC);
  HOLDS(ntohl(name.sin_addr.s_addr) == INADDR_LOOPBACK);
  char text[8] = "";
  VALUE(read(peer, text, 5));
}

CASE("a socket in a directory reached by a descriptor") {
  mkdir("deep", 0755);
  int dir = open("deep", O_PATH);
  char path[108];
  snprintf(path, sizeof path, "/proc/self/fd/%d/s", dir);
  struct sockaddr_un name;
  socklen_t size = address(&name, path);
  DO(bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr*)&name, size));
  struct stat info;
  HOLDS(stat("deep/s", &info) == 0 && S_ISSOCK(info.st_mode));
}
