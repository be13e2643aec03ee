#include <linux/elf.h>

#include "ptrace/compat.hh"
#include "ptrace/elf.hh"
#include "sys/stat.hh"

namespace ptrace {

namespace {

template <typename Header, typename Segment>
long readHeaders(int file, unsigned machine, Program& program) {
  Header header;
  if (sys::invoke(__NR_pread64, file, &header, sizeof header, 0) != sizeof header) return -ENOEXEC;
  if (header.e_machine != machine) return -ENOEXEC;
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) return -ENOEXEC;
  if (header.e_phentsize != sizeof(Segment) || header.e_phnum == 0 || header.e_phnum > 64) return -ENOEXEC;
  Segment segments[64];
  size_t size = header.e_phnum * sizeof *segments;
  if (sys::invoke(__NR_pread64, file, segments, size, header.e_phoff) != static_cast<long>(size)) return -ENOEXEC;
  program = {};
  program.entry = header.e_entry;
  program.headerOffset = header.e_phoff;
  program.headerCount = header.e_phnum;
  program.headerSize = header.e_phentsize;
  program.movable = header.e_type == ET_DYN;
  for (unsigned i = 0; i < header.e_phnum; i++) {
    const Segment& one = segments[i];
    if (one.p_type == PT_INTERP) {
      char text[4096];
      if (one.p_filesz < 2 || one.p_filesz > sizeof text) return -ENOEXEC;
      if (sys::invoke(__NR_pread64, file, text, one.p_filesz, one.p_offset) != static_cast<long>(one.p_filesz))
        return -EIO;
      if (text[one.p_filesz - 1]) return -ENOEXEC;
      program.interpreter = Path(text);
    }
    if (one.p_type == PT_GNU_STACK) program.runsStack = one.p_flags & PF_X;
    if (one.p_type != PT_LOAD) continue;
    if (program.count == Program::kMost) return -ENOEXEC;
    if (one.p_align > program.alignment) program.alignment = one.p_align;
    if (one.p_offset <= header.e_phoff && header.e_phoff < one.p_offset + one.p_filesz)
      program.headers = one.p_vaddr + (header.e_phoff - one.p_offset);
    program.segments[program.count++] = {one.p_vaddr, one.p_filesz, one.p_memsz, one.p_offset, one.p_flags};
  }
  return program.count ? 0 : -ENOEXEC;
}

}  // namespace

Code Program::text(const struct statx& info) const {
  for (unsigned i = 0; i < count; i++) {
    const Segment& one = segments[i];
    if ((one.flags & (PF_X | PF_W)) != PF_X) continue;
    return {one.address, one.address + one.fileSize, one.offset,
            sys::deviceNumber(info.stx_dev_major, info.stx_dev_minor), info.stx_ino};
  }
  return {};
}

long readProgram(int file, Program& program) {
  unsigned char ident[EI_NIDENT];
  if (sys::invoke(__NR_pread64, file, ident, sizeof ident, 0) != sizeof ident) return -ENOEXEC;
  if (memcmp(ident, ELFMAG, SELFMAG) != 0) return -ENOEXEC;
  if (ident[EI_CLASS] == ELFCLASS64) return readHeaders<Elf64_Ehdr, Elf64_Phdr>(file, kMachine, program);
  if (ident[EI_CLASS] != ELFCLASS32 || !kNarrowMachine) return -ENOEXEC;
  long error = readHeaders<Elf32_Ehdr, Elf32_Phdr>(file, kNarrowMachine, program);
  if (error < 0) return error;
  program.narrow = true;
  return runsNarrow() ? 0 : -ENOEXEC;
}

namespace {

/// What has been read of a file as it was when it had last been changed then.
struct Kept {
  uint64_t device = 0, node = 0, size = 0;
  statx_timestamp changed{};
  Program program;

  bool is(const struct statx& info) const {
    return node == info.stx_ino && device == sys::deviceNumber(info.stx_dev_major, info.stx_dev_minor) &&
           size == info.stx_size && changed.tv_sec == info.stx_ctime.tv_sec &&
           changed.tv_nsec == info.stx_ctime.tv_nsec;
  }
};
constexpr unsigned kMostKept = 16;
Kept* kept = nullptr;

}  // namespace

const Program* keptProgram(const struct statx& info) {
  for (unsigned i = 0; kept && i < kMostKept; i++)
    if (kept[i].is(info)) return &kept[i].program;
  return nullptr;
}

void keepProgram(const struct statx& info, const Program& program) {
  static unsigned next = 0;
  if (!kept) kept = static_cast<Kept*>(reserve(kMostKept * sizeof *kept));
  if (!kept) return;
  Kept& one = kept[next++ % kMostKept];
  one.device = sys::deviceNumber(info.stx_dev_major, info.stx_dev_minor);
  one.node = info.stx_ino, one.size = info.stx_size, one.changed = info.stx_ctime, one.program = program;
}

long machineOf(int file) {
  unsigned char ident[20];
  if (sys::invoke(__NR_pread64, file, ident, sizeof ident, 0) != sizeof ident || memcmp(ident, ELFMAG, SELFMAG) != 0)
    return -ENOEXEC;
  return ident[EI_DATA] == ELFDATA2MSB ? ident[18] << 8 | ident[19] : ident[19] << 8 | ident[18];
}

}  // namespace ptrace
