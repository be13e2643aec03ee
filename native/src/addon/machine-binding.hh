// What the addon does to start and watch machines.
#pragma once

#include <napi.h>

/// launch(), supervise(), saveTerminal(), restoreTerminal().
void exportMachine(Napi::Env env, Napi::Object exports);
