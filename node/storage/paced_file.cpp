// SPDX-License-Identifier: Apache-2.0
#include "node/storage/paced_file.hpp"

#include <algorithm>

#include "node/storage/file.hpp"

namespace forkfleet {

namespace {

/// How often a stop is asked for while a guest stands still.
constexpr auto stop_interval = std::chrono::milliseconds{50};

} // namespace

status pace::wait() const {
  for (;;) {
    if (stop && stop())
      return fail(ec::interrupted, "the work in the background was stopped");
    if (!gate
        || gate->wait_until_clear(std::chrono::steady_clock::now()
                                  + stop_interval))
      return {};
  }
}

status paced_file::write(std::span<const uint8_t> bytes, uint64_t offset) {
  auto done = pace_.wait();
  if (done && now_.written + bytes.size() > window_bytes)
    done = next_window(offset);
  if (done)
    done = write_at(fd_, bytes, offset, path_);
  if (!done)
    return done;
  debt_.add(bytes.size());
  if (now_.written == 0)
    now_.begin = offset;
  now_.end = std::max(now_.end, offset + bytes.size());
  now_.written += bytes.size();
  return {};
}

/// Begins to write out the window that is full, and waits for the one before.
status paced_file::next_window(uint64_t offset) {
  auto done = start_writeback(fd_, now_.begin, now_.end - now_.begin, path_);
  if (done && before_.written != 0) {
    done =
      wait_writeback(fd_, before_.begin, before_.end - before_.begin, path_);
    debt_.pay(before_.written);
  }
  before_ = now_;
  now_ = {.begin = offset, .end = offset};
  return done;
}

status paced_file::sync() {
  auto done = pace_.wait();
  if (done)
    done = sync_data(fd_, path_);
  if (done)
    debt_.pay_all();
  return done;
}

} // namespace forkfleet
