// A background colour behind all that a guest prints on the caller's terminal: after each sequence that would bring the
// terminal's own background back, the colour is set again. A background that the guest chooses itself is left alone.
#pragma once

#include <stddef.h>

class Tint {
 public:
  /// How many times as long a text can become: the shortest reset, three bytes, and the longest colour behind it.
  static constexpr size_t kGrowth = 8;
  static constexpr size_t kMaxParameters = 18;
  /// Gives the terminal its own colours back, from here to the end of the screen.
  static constexpr const char* kOff = "\x1b[m\x1b[J";

  /// `parameters` of SGR (ECMA-48), at most kMaxParameters characters; null for no colour.
  explicit Tint(const char* parameters) : parameters_(parameters) {}

  bool on() const { return parameters_ != nullptr; }
  /// Sets the colour, from here to the end of the line. `to` has room for kGrowth * 4 bytes; returns how many were written.
  size_t begin(char* to) const;
  /// Copies `n` bytes of output with the colour set where it is needed. `to` has room for kGrowth * n.
  size_t pass(const char* from, size_t n, char* to);

 private:
  enum class State : unsigned char { kText, kEscape, kControl };

  size_t colour(char* to) const;
  bool endsOwnBackground(char byte);
  void takeParameter();

  const char* parameters_;
  State state_ = State::kText;
  // Within a control sequence.
  char mark_ = 0;              // what makes it another one than SGR: ? > ! and the like
  bool resets_ = false;        // it ends with the terminal's own background
  bool subparameter_ = false;  // behind a colon
  bool colourKind_ = false;    // the next parameter says how many more belong to a colour
  unsigned skip_ = 0;          // parameters that belong to a colour
  unsigned number_ = 0;
};
