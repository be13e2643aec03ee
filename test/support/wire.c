// Both ends of a connection, for guests without a shell's worth of network tools.
//   wire serve PORT              answers on every address, TCP and UDP, with the address of who asks; says "serving" first
//   wire ask tcp|udp ADDR PORT   prints the answer; status 1 when there is none within two seconds
//   wire count ADDR PORT         sends a megabyte over TCP, ends its direction, and prints how much came back
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int die(const char *what) {
  perror(what);
  exit(1);
}

static int listenOn(int type, int port) {
  int fd = socket(AF_INET6, type, 0), off = 0, on = 1;
  struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&any, sizeof any) < 0) die("bind");
  if (type == SOCK_STREAM && listen(fd, 64) < 0) die("listen");
  return fd;
}

/// Says who it is, then gives back what it gets until that ends.
static void converse(int fd, struct sockaddr_in6 *peer) {
  char text[65536];
  ssize_t n = read(fd, text, sizeof text);
  if (n == 1) {
    inet_ntop(AF_INET6, &peer->sin6_addr, text, sizeof text);
    strcat(text, "\n");
    write(fd, text, strlen(text));
    return;
  }
  for (; n > 0; n = read(fd, text, sizeof text))
    if (write(fd, text, n) != n) return;
}

static void serve(int port) {
  struct pollfd fds[2] = {{listenOn(SOCK_STREAM, port), POLLIN, 0}, {listenOn(SOCK_DGRAM, port), POLLIN, 0}};
  signal(SIGCHLD, SIG_IGN);
  puts("serving");
  fflush(stdout);
  for (;;) {
    if (poll(fds, 2, -1) < 0) continue;
    struct sockaddr_in6 peer;
    socklen_t size = sizeof peer;
    char text[2048];
    if (fds[0].revents) {
      int fd = accept(fds[0].fd, (struct sockaddr *)&peer, &size);
      if (fork() == 0) {
        converse(fd, &peer);
        exit(0);
      }
      close(fd);
    }
    if (fds[1].revents) {
      size = sizeof peer;
      recvfrom(fds[1].fd, text, sizeof text, 0, (struct sockaddr *)&peer, &size);
      inet_ntop(AF_INET6, &peer.sin6_addr, text, sizeof text);
      strcat(text, "\n");
      sendto(fds[1].fd, text, strlen(text), 0, (struct sockaddr *)&peer, size);
    }
  }
}

static int connectTo(const char *protocol, const char *address, const char *port) {
  struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = *protocol == 'u' ? SOCK_DGRAM : SOCK_STREAM}, *to;
  struct timeval patience = {2, 0};
  if (getaddrinfo(address, port, &hints, &to) != 0) die("getaddrinfo");
  int fd = socket(to->ai_family, to->ai_socktype, 0);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connect(fd, to->ai_addr, to->ai_addrlen) < 0) die("connect");
  return fd;
}

static void ask(int fd) {
  char text[256];
  if (send(fd, "x", 1, MSG_NOSIGNAL) != 1) die("send");
  ssize_t n = recv(fd, text, sizeof text, 0);
  if (n <= 0) die("recv");
  fwrite(text, 1, n, stdout);
}

static void count(int fd) {
  static char text[1 << 20];
  if (fork() == 0) {
    for (size_t at = 0; at < sizeof text;) {
      ssize_t n = send(fd, text + at, sizeof text - at, MSG_NOSIGNAL);
      if (n < 0) die("send");
      at += n;
    }
    shutdown(fd, SHUT_WR);
    exit(0);
  }
  size_t total = 0;
  for (ssize_t n; (n = recv(fd, text, sizeof text, 0)) > 0;) total += n;
  printf("%zu\n", total);
}

int main(int argc, char **argv) {
  if (argc == 3 && !strcmp(argv[1], "serve")) serve(atoi(argv[2]));
  if (argc == 5 && !strcmp(argv[1], "ask")) return ask(connectTo(argv[2], argv[3], argv[4])), 0;
  if (argc == 4 && !strcmp(argv[1], "count")) return count(connectTo("tcp", argv[2], argv[3])), 0;
  return 2;
}
