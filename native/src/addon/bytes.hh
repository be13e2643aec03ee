// Strings between JavaScript and the kernel, whose bytes need not be UTF-8: see packages/core/src/bytes.ts.
#pragma once

#include <napi.h>

#include <string>

/// A string with each byte that is no UTF-8 as a lone surrogate; a Value, because Object::Set() makes UTF-8 of a String.
Napi::Value decoded(Napi::Env env, const std::string& bytes);
/// And the other way round.
std::string encoded(const Napi::Value& value);
