#include "ptrace/inprocess/serve.hh"

namespace page {

namespace {

int number(uint64_t argument) { return static_cast<int>(argument); }

template <typename T>
T* at(uint64_t argument) {
  return reinterpret_cast<T*>(argument);
}

long idOf(const uint32_t& id) { return header().idsHold ? static_cast<long>(id) : kSlow; }

long showAt(int directory, const char* text, struct stat* to, int flags) {
  // glibc asks so for what is open. The empty text is looked at where it cannot be missing.
  if (flags == AT_EMPTY_PATH) {
    char first;
    return directory >= 0 && page_copy_text(&first, text, 1) == 0 ? showOpen(directory, to) : kSlow;
  }
  if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT)) return kSlow;
  return showPath(directory, text, to, !(flags & AT_SYMLINK_NOFOLLOW));
}

}  // namespace

extern "C" long page_serve(const Frame& frame) {
  const ptrace::Header& head = header();
  if (head.off) return kSlow;
  int directory = number(frame.rdi);
  switch (frame.number) {
    case __NR_getuid:
      return idOf(head.user[0]);
    case __NR_geteuid:
      return idOf(head.user[1]);
    case __NR_getgid:
      return idOf(head.group[0]);
    case __NR_getegid:
      return idOf(head.group[1]);
    case __NR_open:
      return openFile(frame, AT_FDCWD, at<char>(frame.rdi), number(frame.rsi), number(frame.rdx));
    case __NR_openat:
      return openFile(frame, directory, at<char>(frame.rsi), number(frame.rdx), number(frame.r10));
    case __NR_stat:
      return showPath(AT_FDCWD, at<char>(frame.rdi), at<struct stat>(frame.rsi), true);
    case __NR_lstat:
      return showPath(AT_FDCWD, at<char>(frame.rdi), at<struct stat>(frame.rsi), false);
    case __NR_fstat:
      return showOpen(directory, at<struct stat>(frame.rsi));
    case __NR_newfstatat:
      return showAt(directory, at<char>(frame.rsi), at<struct stat>(frame.rdx), number(frame.r10));
    case __NR_statx:
      return showExtended(directory, at<char>(frame.rsi), number(frame.rdx), static_cast<unsigned>(frame.r10),
                          at<struct statx>(frame.r8));
    case __NR_access:
      return access(AT_FDCWD, at<char>(frame.rdi), number(frame.rsi));
    case __NR_faccessat:
      return access(directory, at<char>(frame.rsi), number(frame.rdx));
    case __NR_faccessat2:
      return number(frame.r10) ? kSlow : access(directory, at<char>(frame.rsi), number(frame.rdx));
    case __NR_readlink:
      return readLink(AT_FDCWD, at<char>(frame.rdi), at<char>(frame.rsi), number(frame.rdx));
    case __NR_readlinkat:
      return readLink(directory, at<char>(frame.rsi), at<char>(frame.rdx), number(frame.r10));
    case __NR_getcwd:
      return currentDirectory(at<char>(frame.rdi), frame.rsi);
    case __NR_creat:
      return createFile(frame, AT_FDCWD, at<char>(frame.rdi), O_CREAT | O_WRONLY | O_TRUNC,
                        static_cast<unsigned>(frame.rsi));
    case __NR_mkdir:
      return makeDirectory(AT_FDCWD, at<char>(frame.rdi), static_cast<unsigned>(frame.rsi));
    case __NR_mkdirat:
      return makeDirectory(directory, at<char>(frame.rsi), static_cast<unsigned>(frame.rdx));
    case __NR_symlink:
      return makeLink(at<char>(frame.rdi), AT_FDCWD, at<char>(frame.rsi));
    case __NR_symlinkat:
      return makeLink(at<char>(frame.rdi), number(frame.rsi), at<char>(frame.rdx));
    case __NR_unlink:
      return removeName(AT_FDCWD, at<char>(frame.rdi), 0);
    case __NR_rmdir:
      return removeName(AT_FDCWD, at<char>(frame.rdi), AT_REMOVEDIR);
    case __NR_unlinkat:
      return removeName(directory, at<char>(frame.rsi), number(frame.rdx));
    case __NR_fchmod:
      return changeOpen(directory, static_cast<unsigned>(frame.rsi));
    case __NR_chmod:
      return changeMode(AT_FDCWD, at<char>(frame.rdi), static_cast<unsigned>(frame.rsi));
    case __NR_fchmodat:
      return changeMode(directory, at<char>(frame.rsi), static_cast<unsigned>(frame.rdx));
    case __NR_fchown:
      return giveOpen(directory, static_cast<uint32_t>(frame.rsi), static_cast<uint32_t>(frame.rdx));
    case __NR_chown:
    case __NR_lchown:
      return give(AT_FDCWD, at<char>(frame.rdi), static_cast<uint32_t>(frame.rsi), static_cast<uint32_t>(frame.rdx),
                  frame.number == __NR_chown);
    case __NR_fchownat:
      if (frame.r8 & ~uint64_t{AT_SYMLINK_NOFOLLOW}) return kSlow;
      return give(directory, at<char>(frame.rsi), static_cast<uint32_t>(frame.rdx), static_cast<uint32_t>(frame.r10),
                  !frame.r8);
    case __NR_utimensat:
      return setTimes(directory, at<char>(frame.rsi), at<void>(frame.rdx), number(frame.r10));
    default:
      return kSlow;
  }
}

}  // namespace page
