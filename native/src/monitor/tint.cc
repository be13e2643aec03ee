#include "monitor/tint.hh"

size_t Tint::colour(char* to) const {
  size_t n = 0;
  to[n++] = '\x1b';
  to[n++] = '[';
  for (const char* at = parameters_; *at; at++) to[n++] = *at;
  to[n++] = 'm';
  return n;
}

size_t Tint::begin(char* to) const {
  size_t n = colour(to);
  for (const char* at = "\x1b[K"; *at; at++) to[n++] = *at;
  return n;
}

size_t Tint::pass(const char* from, size_t n, char* to) {
  size_t out = 0;
  for (size_t i = 0; i < n; i++) {
    to[out++] = from[i];
    if (endsOwnBackground(from[i])) out += colour(to + out);
  }
  return out;
}

/// Whether this byte ends a sequence after which the background is the terminal's own.
bool Tint::endsOwnBackground(char byte) {
  if (byte == '\x1b') {
    state_ = State::kEscape;
    return false;
  }
  switch (state_) {
    case State::kText:
      return false;
    case State::kEscape:
      state_ = byte == '[' ? State::kControl : State::kText;
      mark_ = 0;
      resets_ = subparameter_ = colourKind_ = false;
      skip_ = number_ = 0;
      return byte == 'c';  // RIS
    case State::kControl:
      break;
  }
  if (byte >= '0' && byte <= '9') {
    if (number_ < 1000) number_ = number_ * 10 + static_cast<unsigned>(byte - '0');
  } else if (byte == ';') {
    takeParameter();
    subparameter_ = false;
  } else if (byte == ':') {
    takeParameter();
    subparameter_ = true;
  } else if (byte >= '@' && byte <= '~') {
    state_ = State::kText;
    takeParameter();
    return mark_ ? mark_ == '!' && byte == 'p' /* DECSTR */ : byte == 'm' && resets_;
  } else if (byte >= ' ') {
    mark_ = byte;
  }
  return false;
}

void Tint::takeParameter() {
  unsigned number = number_;
  number_ = 0;
  // `48:2::r:g:b`: what stands behind a colon belongs to the number before it.
  if (subparameter_) {
    colourKind_ = false;
    return;
  }
  if (skip_) {
    skip_--;
    return;
  }
  if (colourKind_) {
    colourKind_ = false;
    skip_ = number == 5 ? 1 : number == 2 ? 3 : 0;
    return;
  }
  colourKind_ = number == 38 || number == 48 || number == 58;
  if (number == 0 || number == 49) resets_ = true;
  if ((number >= 40 && number <= 48) || (number >= 100 && number <= 107)) resets_ = false;
}
