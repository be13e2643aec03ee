// sendmsg(2), recvmsg(2) and their likes: the addresses in a message, and the ids that travel with it.
#include "ptrace/messages.hh"

#include "ptrace/addresses.hh"
#include "ptrace/message.hh"
#include "ptrace/procfs.hh"
#include "ptrace/table.hh"

namespace ptrace {

namespace {

constexpr uint64_t kMost = 1024;  // UIO_MAXIOV
/// So many with translated names go at once, and the caller goes on with the rest.
constexpr uint64_t kBatch = 8;
constexpr size_t kControlRoom = 4096;

char control[kControlRoom];

/// Hands each piece of `control` that says who sends to `use`. -errno of the first that is refused.
template <typename Use>
long eachCredentials(const Call& call, size_t size, Use use) {
  ControlPiece piece;
  for (size_t i = 0; i < size && controlPiece(call, control + i, size - i, piece); i += piece.step) {
    if (piece.level != SOL_SOCKET || piece.type != SCM_CREDENTIALS) continue;
    sys::Credentials who;
    if (piece.size < piece.head + sizeof who) continue;
    memcpy(&who, control + i + piece.head, sizeof who);
    if (long error = use(who); error < 0) return error;
    memcpy(control + i + piece.head, &who, sizeof who);
  }
  return 0;
}

/// What a process says of itself, as the kernel is to hear it. 0 or -errno.
long tellCredentials(Call& call, sys::Credentials& who) {
  State& state = call.state;
  const fakeroot::Four &user = call.identity().user, &group = call.identity().group;
  auto is = [](const fakeroot::Four& mine, uint32_t id) {
    return id == mine.real || id == mine.effective || id == mine.saved;
  };
  int process = processOf(who.pid);
  bool privileged = call.privileged();
  if (!privileged && process != call.tracee.process) return -EPERM;
  // Root may speak for another process. The kernel does not let it here, so it is remembered.
  if (privileged && process == state.view.first()) state.spokesman = call.tracee.process;
  if (!state.fakeIds) {
    who.pid = process;
    return 0;
  }
  if (!privileged && (!is(user, who.uid) || !is(group, who.gid))) return -EPERM;
  // The kernel takes the ids that it knows.
  who.uid = state.uid;
  who.gid = state.gid;
  who.pid = call.tracee.process;
  return 0;
}

/// The address and the ids in one message that is sent. 0 or -errno; what is not as it was lies elsewhere then.
long translateMessage(Call& call, sys::MessageHeader& message, bool& changed) {
  if (message.name) {
    auto name = reinterpret_cast<uint64_t>(message.name);
    auto size = static_cast<uint64_t>(message.nameSize);
    if (long error = translateAddress(call, name, size, false); error < 0) return error;
    changed |= name != reinterpret_cast<uint64_t>(message.name);
    message.name = reinterpret_cast<void*>(name);
    message.nameSize = static_cast<int>(size);
  }
  size_t size = message.controlSize;
  if (!message.control || size > sizeof control ||
      !call.read(reinterpret_cast<uint64_t>(message.control), control, size))
    return 0;
  bool told = false;
  long error = eachCredentials(call, size, [&](sys::Credentials& who) {
    told = true;
    return tellCredentials(call, who);
  });
  if (error < 0 || !told) return error;
  uint64_t copy = call.put(control, size);
  if (!copy) return -EFAULT;
  message.control = reinterpret_cast<void*>(copy);
  changed = true;
  return 0;
}

/// How much of each message was sent, from the copies to the guest's own.
void copySizes(Call& call) {
  const MessageLayout layout = messageLayout(call);
  uint64_t to = call.tracee.notes[0] + layout.size, from = call.tracee.notes[1] + layout.size;
  for (long i = 0; i < call.result(); i++, from += layout.step, to += layout.step) {
    uint32_t done;
    if (call.read(from, &done, sizeof done)) call.write(to, &done, sizeof done);
  }
}

/// sendmmsg(2)
Answer sendSeveral(Call& call) {
  static sys::MessageHeader batch[kBatch];
  const size_t step = messageLayout(call).step;
  uint64_t from = call.argument(1), count = call.argument(2) < kMost ? call.argument(2) : kMost, n = 0;
  bool any = false;
  for (; n < count && !(any && n == kBatch); n++) {
    sys::MessageHeader one;
    bool changed = false;
    if (!readMessage(call, from + n * step, one)) break;
    long error = translateMessage(call, one, changed);
    if (error < 0 && n == 0) return Answer::give(error);
    // What is behind the first ones goes with the next call.
    if (error < 0 || (changed && n >= kBatch)) break;
    if (n < kBatch) batch[n] = one;
    any |= changed;
  }
  if (n == 0 || (!any && n == count)) return Answer::proceed();
  call.setArgument(2, n);
  if (!any) return Answer::proceed();
  uint64_t copy = call.room(n * step);
  for (uint64_t i = 0; i < n; i++)
    if (!copy || !writeMessage(call, copy + i * step, batch[i])) return Answer::give(-EFAULT);
  call.tracee.notes[0] = from;
  call.tracee.notes[1] = copy;
  call.setArgument(1, copy);
  call.then(copySizes);
  return Answer::proceed();
}

/// A message that was received: notes are where the first one is, how many there can be, and the least room for a name.
void showMessages(Call& call) {
  const uint64_t *notes = call.tracee.notes, several = notes[1];
  uint64_t at = notes[0];
  long count = several ? call.result() : call.result() >= 0;
  const MessageLayout layout = messageLayout(call);
  for (long i = 0; i < count; i++, at += layout.step) {
    sys::MessageHeader message;
    if (!readMessage(call, at, message)) return;
    if (message.name)
      showName(call, reinterpret_cast<uint64_t>(message.name), at + layout.nameSize, static_cast<uint32_t>(notes[2]));
    auto controlAt = reinterpret_cast<uint64_t>(message.control);
    size_t size = message.controlSize < sizeof control ? message.controlSize : sizeof control;
    if (!controlAt || !call.read(controlAt, control, size)) continue;
    bool told = false;
    eachCredentials(call, size, [&](sys::Credentials& who) {
      showCredentials(call, who, false);
      told = true;
      return 0;
    });
    if (told) call.write(controlAt, control, size);
  }
}

}  // namespace

void showCredentials(Call& call, sys::Credentials& who, bool effective) {
  const State& state = call.state;
  if (state.fakeIds) {
    const Tracee* other = call.state.tracees.anyOf(who.pid);
    auto shown = [&](const fakeroot::Four& ids) { return effective ? ids.effective : ids.real; };
    who.uid = other ? shown(other->identity.user) : who.uid == state.uid ? 0 : who.uid;
    who.gid = other ? shown(other->identity.group) : who.gid == state.gid ? 0 : who.gid;
  }
  who.pid = static_cast<int>(state.view.numberOf(who.pid));
}

/// sendmsg(2), and with `form` sendmmsg(2).
Answer sendMessage(Call& call, unsigned form) {
  if (form) return sendSeveral(call);
  sys::MessageHeader message;
  bool changed = false;
  if (!readMessage(call, call.argument(1), message)) return Answer::proceed();
  if (long error = translateMessage(call, message, changed); error < 0) return Answer::give(error);
  if (!changed) return Answer::proceed();
  uint64_t copy = call.room(messageLayout(call).size);
  if (!copy || !writeMessage(call, copy, message)) return Answer::give(-EFAULT);
  call.setArgument(1, copy);
  return Answer::proceed();
}

/// recvmsg(2), and with `form` recvmmsg(2).
Answer receiveMessage(Call& call, unsigned form) {
  uint64_t at = call.argument(1), count = !form ? 1 : call.argument(2) < kMost ? call.argument(2) : kMost;
  uint32_t room = ~0u;
  bool wants = false;
  for (uint64_t i = 0; i < count; i++) {
    sys::MessageHeader message;
    if (!readMessage(call, at + i * messageLayout(call).step, message)) break;
    wants |= message.name || (message.control && message.controlSize);
    if (message.name && static_cast<uint32_t>(message.nameSize) < room) room = static_cast<uint32_t>(message.nameSize);
  }
  if (!wants) return Answer::proceed();
  call.tracee.notes[0] = at;
  call.tracee.notes[1] = form;
  call.tracee.notes[2] = room;
  call.then(showMessages);
  return Answer::proceed();
}

}  // namespace ptrace
