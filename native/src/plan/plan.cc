#include "plan/plan.hh"

#include "sys/kernel.hh"

bool Plan::map(int fd) {
  struct statx info;
  if (sys::fstatx(fd, STATX_SIZE, &info) < 0 || info.stx_size < sizeof(wire::Header)) return false;
  long address = sys::invoke(__NR_mmap, nullptr, info.stx_size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (address < 0 && address > -4096) return false;
  base_ = reinterpret_cast<const char*>(address);
  header_ = reinterpret_cast<const wire::Header*>(base_);
  return header_->magic == wire::kMagic && header_->version == wire::kVersion && header_->size == info.stx_size;
}
