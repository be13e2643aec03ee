// The table from op to function.
#include "steps/context.hh"

namespace {

long unshareCgroup(Context&, const wire::Step&) { return sys::unshare(CLONE_NEWCGROUP); }
/// The monitor reads it itself: the late steps pause there.
long resumeGuest(Context&, const wire::Step&) { return 0; }

using Function = long (*)(Context&, const wire::Step&);

// Same order as wire::Op.
constexpr Function kFunctions[] = {
    makeCgroup,
    openTreeStep,
    setPropagation,
    enterRoot,
    mountNew,
    bindMount,
    makeDirectory,
    makeNode,
    makeLink,
    writeFile,
    remount,
    unmount,
    bindNotifySocket,
    holdFifo,
    unshareCgroup,
    setHostname,
    requireNamespacedReboot,
    startSession,
    openConsole,
    setLimit,
    adjustOomScore,
    setPersonality,
    lookupUser,
    takeIdentity,
    changeDirectory,
    loadSeccomp,
    execPayload,
    raiseLoopback,
    mountDevice,
    newMount,
    makeUserNamespace,
    mapIds,
    becomeRoot,
    actAs,
    unshareMounts,
    returnToHost,
    awaitMonitor,
    mountOverlay,
    makeTempDirectory,
    shiftOwners,
    coverPath,
    setAffinity,
    setExecLabel,
    mapOwners,
    resumeGuest,
    delegateCgroup,
    joinNetwork,
    makeVeth,
    makeSharedInterface,
    moveInterface,
    forwardPorts,
    writeCgroup,
    limitDevices,
    registerMachine,
    setParameter,
    putFile,
    removeFile,
    startHelper,
    relayPorts,
    startFakeRoot,
    traceGuest,
    standAt,
    keepIds,
};
static_assert(sizeof kFunctions / sizeof *kFunctions == static_cast<size_t>(wire::Op::kCount));

}  // namespace

long runStep(Context& context, const wire::Step& step) {
  if (step.op >= wire::Op::kCount) return -ENOSYS;
  long result = kFunctions[static_cast<size_t>(step.op)](context, step);
  return result < 0 && step.flags & wire::kTry ? 0 : result;
}
