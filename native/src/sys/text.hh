// Text and memory without a libc: what the compiler itself calls (memcpy, memset …), and the few string helpers that the
// steps need. Nothing here allocates.
#pragma once

#include <stddef.h>
#include <stdint.h>

extern "C" {
void* memcpy(void* to, const void* from, size_t n);
void* memmove(void* to, const void* from, size_t n);
void* memset(void* to, int byte, size_t n);
int memcmp(const void* a, const void* b, size_t n);
size_t strlen(const char* text);
}

namespace sys {

bool equal(const char* a, const char* b);
bool startsWith(const char* text, const char* prefix);
/// The first `c` in `text`, or null.
const char* find(const char* text, char c);

/// A text of bounded length that is built piece by piece; what does not fit is cut, and full() tells.
template <size_t N>
class Text {
 public:
  Text() { data_[0] = 0; }
  explicit Text(const char* text) : Text() { add(text); }
  // What lies behind the text is nobody's business, and the room is often much larger.
  Text(const Text& other) { *this = other; }
  Text& operator=(const Text& other) {
    if (this == &other) return *this;
    memcpy(data_, other.data_, other.size_ + 1);
    size_ = other.size_;
    full_ = other.full_;
    return *this;
  }

  Text& add(const char* text) { return add(text, strlen(text)); }
  Text& add(const char* text, size_t n) {
    if (n > N - 1 - size_) {
      n = N - 1 - size_;
      full_ = true;
    }
    memcpy(data_ + size_, text, n);
    size_ += n;
    data_[size_] = 0;
    return *this;
  }
  Text& add(int64_t number) {
    char digits[24];
    char* p = digits + sizeof digits;
    uint64_t rest = number < 0 ? -static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
    do {
      *--p = static_cast<char>('0' + rest % 10);
      rest /= 10;
    } while (rest);
    if (number < 0) *--p = '-';
    return add(p, static_cast<size_t>(digits + sizeof digits - p));
  }

  const char* c_str() const { return data_; }
  size_t size() const { return size_; }
  bool full() const { return full_; }

 private:
  char data_[N];
  size_t size_ = 0;
  bool full_ = false;
};

/// Reads a decimal number that is the whole of [text, end). False on anything else, also on overflow of 32 bits.
bool parseNumber(const char* text, const char* end, uint32_t* out);

/// Reads a hexadecimal number as the kernel writes it, and goes behind it.
uint64_t takeHex(const char*& text);

}  // namespace sys
