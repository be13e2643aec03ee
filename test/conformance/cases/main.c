#include "case.h"

int main(int argc, char** argv) {
  if (argc > 1) return again(argc, argv);
  setvbuf(stdout, NULL, _IOLBF, 0);
  umask(022);
  if (mkdir(HOME, 0777) < 0 && errno != EEXIST) return 1;
  if (chmod(HOME, 0777) < 0) return 1;
  if (chdir(HOME) < 0) return 1;
  paths();
  links();
  attributes();
  ids();
  processes();
  threads();
  sockets();
  procfs();
  escapes();
  programs(argv[0]);
  return 0;
}
