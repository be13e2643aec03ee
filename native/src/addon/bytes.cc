#include "addon/bytes.hh"

namespace {

/// The length of the character that begins at `at`, by the table of well-formed sequences (Unicode 15, 3-7); 0: it is none.
size_t characterAt(const std::string& bytes, size_t at) {
  auto byte = [&](size_t i) { return at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0u; };
  auto follows = [&](size_t i, unsigned low = 0x80, unsigned high = 0xbf) { return byte(i) >= low && byte(i) <= high; };
  unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef)
    return follows(1, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf) && follows(2) ? 3 : 0;
  if (first >= 0xf0 && first <= 0xf4)
    return follows(1, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf) && follows(2) && follows(3) ? 4 : 0;
  return 0;
}

constexpr char16_t kEscape = 0xdc00;

bool isHigh(char16_t unit) { return unit >= 0xd800 && unit <= 0xdbff; }
bool isLow(char16_t unit) { return unit >= 0xdc00 && unit <= 0xdfff; }

void addCharacter(std::string& to, char32_t code) {
  if (code < 0x80) {
    to += static_cast<char>(code);
    return;
  }
  unsigned more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  to += static_cast<char>((0xff00 >> (more + 1) & 0xff) | code >> 6 * more);
  while (more--) to += static_cast<char>(0x80 | (code >> 6 * more & 0x3f));
}

}  // namespace

Napi::Value decoded(Napi::Env env, const std::string& bytes) {
  size_t at = 0, length;
  while (at < bytes.size() && (length = characterAt(bytes, at))) at += length;
  if (at == bytes.size()) return Napi::String::New(env, bytes);
  std::u16string units;
  for (at = 0; at < bytes.size(); at += length) {
    length = characterAt(bytes, at);
    auto first = static_cast<unsigned char>(bytes[at]);
    if (length <= 1) {
      units += static_cast<char16_t>(length ? first : kEscape + first);
      length = 1;
      continue;
    }
    char32_t code = first & (0x7f >> length);
    for (size_t i = 1; i < length; i++) code = code << 6 | (static_cast<unsigned char>(bytes[at + i]) & 0x3f);
    if (code >= 0x10000) {
      units += static_cast<char16_t>(0xd7c0 + (code >> 10));
      units += static_cast<char16_t>(0xdc00 | (code & 0x3ff));
    } else {
      units += static_cast<char16_t>(code);
    }
  }
  return Napi::String::New(env, units);
}

std::string encoded(const Napi::Value& value) {
  Napi::String string = value.ToString();
  std::string bytes = string.Utf8Value();
  // U+FFFD stands for itself, or for a surrogate.
  if (bytes.find("\xef\xbf\xbd") == std::string::npos) return bytes;
  std::u16string units = string.Utf16Value();
  bytes.clear();
  for (size_t i = 0; i < units.size(); i++) {
    char16_t unit = units[i];
    if (isHigh(unit) && i + 1 < units.size() && isLow(units[i + 1]))
      addCharacter(bytes, 0x10000 + ((unit & 0x3ffu) << 10) + (units[++i] & 0x3ffu));
    else if (unit >= kEscape + 0x80 && unit <= kEscape + 0xff)
      bytes += static_cast<char>(unit - kEscape);
    else
      addCharacter(bytes, isHigh(unit) || isLow(unit) ? 0xfffd : unit);
  }
  return bytes;
}
