// What reboot(2) does in a PID namespace.
#pragma once

/// Whether it would be a reboot of the host, as before Linux 3.4: tried with what changes nothing. False where no PID namespace can be had.
bool rebootsHost();
