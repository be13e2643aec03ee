// The two steps of a guest that is traced.
#include "ptrace/table.hh"
#include "ptrace/tracer.hh"
#include "steps/context.hh"

/// Host side: see Tracer::begin().
long traceGuest(Context& context, const wire::Step& step) {
  return context.tracer ? context.tracer->begin(context, step) : -ENOSYS;
}

/// Inner side: the tracer carries it out, see Tracer::carryOut().
long standAt(Context& context, const wire::Step& step) {
  return sys::invoke(ptrace::kStepCall, &step - context.plan.inner());
}
