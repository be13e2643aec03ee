// socketcall(2): the calls of sockets as i386 had them first, by a number and a list of arguments in memory.
#include "ptrace/table.hh"

namespace ptrace {

namespace {

struct SocketCall {
  Handler handler = nullptr;
  unsigned form = 0;
  int count = 0;
};

/// SYS_* of linux/net.h.
SocketCall socketCallOf(int number) {
  switch (number) {
    case 1:
      return {openSocket, 0, 3};
    case 2:
      return {useAddress, kChange, 3};
    case 3:
      return {useAddress, 0, 3};
    case 5:  // accept
    case 6:  // getsockname
    case 7:  // getpeername
      return {showAddress, 0, 3};
    case 11:
      return {sendTo, 0, 6};
    case 12:
      return {showAddress, 1, 6};
    case 15:
      return {showPeer, 0, 5};
    case 16:
      return {sendMessage, 0, 3};
    case 17:
      return {receiveMessage, 0, 3};
    case 18:  // accept4
      return {showAddress, 0, 4};
    case 19:
      return {receiveMessage, 1, 5};
    case 20:
      return {sendMessage, 1, 4};
    default:
      return {};
  }
}

/// When the call has been made: its list is there again for who looks at it then.
void withList(Call& call) {
  uint32_t list[6]{};
  if (!call.read(call.argument(1), list, static_cast<size_t>(socketCallOf(call.number(0)).count) * sizeof *list))
    return;
  call.list = list;
  call.tracee.afterOfList(call);
  call.list = nullptr;
}

}  // namespace

Answer callSocket(Call& call, unsigned) {
  const SocketCall one = socketCallOf(call.number(0));
  uint32_t list[6]{};
  size_t size = static_cast<size_t>(one.count) * sizeof *list;
  if (!one.handler || !call.read(call.argument(1), list, size)) return Answer::proceed();
  call.list = list;
  Answer answer = one.handler(call, one.form);
  call.list = nullptr;
  if (call.tracee.after) {
    call.tracee.afterOfList = call.tracee.after;
    call.then(withList);
  }
  if (!answer.proceeds || !call.listChanged) return answer;
  uint64_t at = call.put(list, size);
  if (!at) return Answer::give(-EFAULT);
  call.setArgument(1, at);
  return answer;
}

}  // namespace ptrace
