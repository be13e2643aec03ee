// Read access to an encoded plan. The launcher wrote it, so offsets are trusted once the header has been checked.
#pragma once

#include "plan/wire.hh"

class Plan {
 public:
  /// Maps the plan in the descriptor `fd`; false when it is no plan of this version.
  bool map(int fd);

  const wire::Header& header() const { return *header_; }
  /// All of them, side by side.
  const wire::Step* steps() const { return reinterpret_cast<const wire::Step*>(header_ + 1); }
  uint32_t stepCount() const {
    return header_->outerCount + header_->hostCount + header_->innerCount + header_->lateCount;
  }
  const wire::Step* outer() const { return steps(); }
  const wire::Step* host() const { return outer() + header_->outerCount; }
  const wire::Step* inner() const { return host() + header_->hostCount; }
  const wire::Step* late() const { return inner() + header_->innerCount; }

  /// The string at an offset; null where the step has none.
  const char* text(uint32_t offset) const { return offset ? base_ + offset : nullptr; }
  /// The string after this one, in a list.
  static const char* next(const char* item) {
    while (*item++) {
    }
    return item;
  }
  const void* data(uint32_t offset) const { return base_ + offset; }

 private:
  const char* base_ = nullptr;
  const wire::Header* header_ = nullptr;
};
