// Copies on a stream of their own: done when something waits for them, and no earlier. With an argument, memory is freed before
// that, which is a fault.
#include "calls.h"
#include <cstring>

namespace {

void *stream, *event;
CUdeviceptr device;
int *host;

void copy(int value) {
    *host = value;
    check(cuMemcpyHtoDAsync_v2(device, host, 4, stream));
    check(cuEventRecord(event, stream));
}

void expect(const char *when, int value) {
    int found;
    check(cuMemcpyDtoH_v2(&found, device, 4));
    if (found == value) return;
    printf("%s: expected %d, found %d\n", when, value, found);
    exit(1);
}

} // namespace

int main(int count, char **arguments) {
    void *context;
    check(cuInit(0));
    check(cuDevicePrimaryCtxRetain(&context, 0));
    check(cuCtxSetCurrent(context));
    check(cuStreamCreate(&stream, 1));
    check(cuEventCreate(&event, 0));
    check(cuMemAlloc_v2(&device, 4));
    check(cuMemHostAlloc(reinterpret_cast<void **>(&host), 4, 0));
    check(cuMemsetD8_v2(device, 0, 4));
    copy(1);
    expect("before a wait", 0);
    check(cuStreamWaitEvent(stream, event, 0));
    expect("after a wait of the stream for itself", 0);
    check(cuStreamWaitEvent(nullptr, event, 0));
    expect("after a wait of the default stream", 1);
    copy(2);
    check(cuEventSynchronize(event));
    expect("after a wait of the host", 2);
    copy(3);
    *host = 4;
    check(cuStreamWaitEvent(nullptr, event, 0));
    expect("after a change of the source before the wait", 4);
    copy(5);
    if (count > 1) check(strcmp(arguments[1], "device") == 0 ? cuMemFree_v2(device) : cuMemFreeHost(host));
    check(cuStreamWaitEvent(nullptr, event, 0));
    check(cuMemFree_v2(device));
    check(cuMemFreeHost(host));
}
