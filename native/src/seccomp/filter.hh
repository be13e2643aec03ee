// Seccomp programs out of names: what the build makes the built-in ones with, and the addon those for --system-call-filter=.
#pragma once

#include <seccomp.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace seccomp {

using Names = std::vector<std::string>;

/// The calls that a name stands for: itself, or the members of a @group and of the groups in it. Nothing when neither the
/// table nor libseccomp knows it.
std::optional<Names> membersOf(const std::string& name);

/// Every name of the table, groups included.
Names allNames();

/// Bytes for seccomp(2), an array of struct sock_filter; or why there are none.
struct Program {
  std::string bytes;
  std::string failure;
};

/// The capabilities that open calls: lower case, without CAP_.
Names allCapabilities();

/// What a container may call that keeps these `capabilities`: everything else fails. `more` are names and @groups that are
/// allowed besides.
Program compileOpen(const Names& capabilities, const Names& more);

/// Refuses the calls that these `capabilities` open, and those of these names and @groups; all else passes.
Program compileClosed(const Names& capabilities, const Names& names);

/// Calls that share an action, where these comparisons of arguments hold.
struct Rule {
  Names names;
  uint32_t action;
  std::vector<scmp_arg_cmp> arguments;
};

/// A filter of somebody else's: `action` for what no rule names. Architectures by libseccomp's names; those that this machine
/// cannot run are left out, and so are calls that libseccomp does not know.
Program compileProfile(uint32_t action, const Names& architectures, const std::vector<Rule>& rules);

/// A program under construction, for the native architecture and, after addCompat(), for the 32-bit one too. The first
/// failure is kept, and what follows it does nothing.
class Builder {
 public:
  /// Both actions are for what no rule names: a call, a call of another architecture.
  Builder(uint32_t call, uint32_t arch);
  ~Builder() { seccomp_release(context_); }
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;

  /// The rules that follow are for both architectures, as far as each has the call.
  void addCompat();
  void addArchitecture(const std::string& name);
  /// A whole call by its name. Each is to be added twice: for libseccomp's own sake, those that it does not know have to come
  /// before the others, while there is no `compat` architecture yet.
  void add(uint32_t action, const std::string& name, bool compat);
  void add(uint32_t action, int call, const std::vector<scmp_arg_cmp>& arguments = {});
  Program finish();

 private:
  void check(int result, const std::string& what);

  scmp_filter_ctx context_;
  std::string failure_;
};

}  // namespace seccomp
