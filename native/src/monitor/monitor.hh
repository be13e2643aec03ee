// The monitor: what stays outside while the guest runs. It is PID 1 of a PID namespace of its own, in which the guest's is
// nested: when it dies, by whatever hand, the kernel kills every process of the guest, whatever these did to their user id
// or parent-death signal. When the launcher dies the monitor sees the end of its socket and ends the guest in order.
#pragma once

#include "steps/context.hh"

/// Runs the plan, again and again while the guest reboots; returns when the guest has ended for good.
void runMonitor(const Plan& plan);
