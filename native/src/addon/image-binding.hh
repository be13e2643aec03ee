// What binding.cc exports of image-binding.cc.
#pragma once

#include <napi.h>

void exportImage(Napi::Env env, Napi::Object exports);
