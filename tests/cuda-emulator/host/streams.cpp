// Streams and events. Kernels, fills and most copies are done when their call returns, whatever their stream.
//
// A copy to the device on a stream that the program has created is done as late as its events allow: when another stream waits
// for it, or the host does. So a missing wait shows: kernels read what was there before, and a program that writes to the
// memory of the host too early copies the new values. To free either memory before is a fault.
#include "emu.h"
#include <chrono>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <set>

namespace {

struct Copy { char *to; const char *from; size_t bytes; };

// Copies that are to be done, after those that are done already.
struct Stream {
    std::deque<Copy> waiting;
    uint64_t done = 0;
};
typedef std::shared_ptr<Stream> Shared;

struct Event {
    std::chrono::steady_clock::time_point at;
    Shared stream; // null for the default stream
    uint64_t copies = 0; // of the stream, when the event was recorded
};

std::mutex streams_lock;
std::set<Shared> streams;

Shared stream_of(CUhandle handle) { return handle == nullptr ? nullptr : *static_cast<Shared *>(handle); }

void finish(const Shared &stream, uint64_t copies) {
    if (stream == nullptr) return;
    std::lock_guard<std::mutex> lock(streams_lock);
    for (; stream->done < copies && !stream->waiting.empty(); stream->done++) {
        const Copy &copy = stream->waiting.front();
        memcpy(copy.to, copy.from, copy.bytes);
        stream->waiting.pop_front();
    }
}

CUresult synchronize() {
    if (!has_context()) return INVALID_CONTEXT;
    counts.synchronisations++;
    return SUCCESS;
}

} // namespace

void copy_later(CUhandle handle, void *to, const void *from, size_t bytes) {
    const Shared stream = stream_of(handle);
    std::lock_guard<std::mutex> lock(streams_lock);
    stream->waiting.push_back({static_cast<char *>(to), static_cast<const char *>(from), bytes});
}

void fault_if_copied(const void *start, size_t bytes) {
    const char *first = static_cast<const char *>(start);
    std::lock_guard<std::mutex> lock(streams_lock);
    for (const Shared &stream : streams)
        for (const Copy &copy : stream->waiting)
            for (const char *at : {static_cast<const char *>(copy.to), copy.from})
                if (at < first + bytes && first < at + copy.bytes) device_fault("memory is freed before a copy has ended");
}

extern "C" {

CUresult cuStreamCreate(CUhandle *handle, unsigned) {
    if (!has_context()) return INVALID_CONTEXT;
    if (allocation_fails()) return OUT_OF_MEMORY;
    const Shared stream = std::make_shared<Stream>();
    std::lock_guard<std::mutex> lock(streams_lock);
    streams.insert(stream);
    return *handle = new Shared(stream), SUCCESS;
}
CUresult cuStreamDestroy_v2(CUhandle handle) {
    const Shared stream = stream_of(handle);
    finish(stream, UINT64_MAX);
    std::lock_guard<std::mutex> lock(streams_lock);
    streams.erase(stream);
    return delete static_cast<Shared *>(handle), SUCCESS;
}
CUresult cuStreamSynchronize(CUhandle handle) { return finish(stream_of(handle), UINT64_MAX), synchronize(); }
CUresult cuStreamQuery(CUhandle handle) {
    if (!has_context()) return INVALID_CONTEXT;
    return finish(stream_of(handle), UINT64_MAX), SUCCESS;
}
CUresult cuStreamWaitEvent(CUhandle handle, CUhandle event_handle, unsigned) {
    const Event *event = static_cast<Event *>(event_handle);
    // The other work of a stream is done at once, so it has waited when this returns.
    if (stream_of(handle) != event->stream) finish(event->stream, event->copies);
    return SUCCESS;
}
CUresult cuCtxSynchronize() {
    std::set<Shared> all;
    {
        std::lock_guard<std::mutex> lock(streams_lock);
        all = streams;
    }
    for (const Shared &stream : all) finish(stream, UINT64_MAX);
    return synchronize();
}

CUresult cuEventCreate(CUhandle *event, unsigned) {
    if (!has_context()) return INVALID_CONTEXT;
    if (allocation_fails()) return OUT_OF_MEMORY;
    return *event = new Event(), SUCCESS;
}
CUresult cuEventDestroy_v2(CUhandle event) { return delete static_cast<Event *>(event), SUCCESS; }
CUresult cuEventRecord(CUhandle handle, CUhandle stream) {
    Event *event = static_cast<Event *>(handle);
    event->at = std::chrono::steady_clock::now();
    event->stream = stream_of(stream);
    std::lock_guard<std::mutex> lock(streams_lock);
    event->copies = event->stream == nullptr ? 0 : event->stream->done + event->stream->waiting.size();
    return SUCCESS;
}
CUresult cuEventQuery(CUhandle) { return SUCCESS; }
CUresult cuEventSynchronize(CUhandle handle) {
    const Event *event = static_cast<Event *>(handle);
    return finish(event->stream, event->copies), synchronize();
}
CUresult cuEventElapsedTime(float *milliseconds, CUhandle start, CUhandle end) {
    const auto time = static_cast<Event *>(end)->at - static_cast<Event *>(start)->at;
    return *milliseconds = std::chrono::duration<float, std::milli>(time).count(), SUCCESS;
}

} // extern "C"
