// Functions of the addon about single files, which node:fs lacks.
#pragma once

#include <napi.h>

void exportFiles(Napi::Env env, Napi::Object exports);
