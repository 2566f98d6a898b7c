// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/page_writer.hpp"

#include <array>
#include <cstring>

#include "node/storage/file.hpp"

namespace forkfleet::qemu {

namespace {

constexpr std::array<uint8_t, page_bytes> zeros{};
constexpr const char* vmstate_name = "the snapshot's vmstate";

} // namespace

bool is_zero_page(byte_view page) {
  // Most pages differ from zero in their first bytes.
  return page[0] == 0
         && std::memcmp(page.data(), zeros.data(), page.size()) == 0;
}

status page_writer::page(uint64_t address, byte_view bytes) {
  if (run_.empty() || address != begin_ + run_.size()
      || run_.size() >= run_bytes_max) {
    if (auto done = flush(); !done)
      return done;
    begin_ = address;
  }
  run_.insert(run_.end(), bytes.begin(), bytes.end());
  return {};
}

status page_writer::zero(uint64_t address) {
  if (zeros_.bytes() == 0 || address != zeros_.end) {
    if (auto done = flush(); !done)
      return done;
    zeros_ = {address, address};
  }
  zeros_.end += guest_page_bytes;
  return {};
}

status page_writer::flush() {
  if (zeros_.bytes() > 0) {
    auto done = sink_->zero(zeros_);
    zeros_ = {};
    return done;
  }
  if (run_.empty())
    return {};
  auto done = sink_->write(begin_, run_);
  run_.clear();
  return done;
}

status tail_writer::append(byte_view bytes) {
  auto done = write_at(fd_, bytes, written_, vmstate_name);
  written_ += done ? bytes.size() : 0;
  return done;
}

template <class Action>
status gated_sink::when_open(Action action) {
  auto lock = std::unique_lock{mutex_};
  changed_.wait(lock, [this] { return gate_ != gate::closed; });
  if (gate_ == gate::abandoned)
    return fail(ec::interrupted, "the capture was abandoned");
  return action();
}

status gated_sink::data_page(uint64_t address, byte_view page) {
  return when_open([&] {
    memory_bytes_ += page.size();
    return memory_.page(address, page);
  });
}

status gated_sink::zero_page(uint64_t address) {
  return when_open([&] {
    memory_bytes_ += guest_page_bytes;
    return memory_.zero(address);
  });
}

status gated_sink::device_state(byte_view bytes) {
  return when_open([&] { return vmstate_.append(bytes); });
}

status gated_sink::flush() {
  return when_open([&] { return memory_.flush(); });
}

void gated_sink::open_gate() {
  const auto lock = std::lock_guard{mutex_};
  if (gate_ == gate::closed)
    gate_ = gate::open;
  changed_.notify_all();
}

void gated_sink::abandon() {
  const auto lock = std::lock_guard{mutex_};
  gate_ = gate::abandoned;
  changed_.notify_all();
}

uint64_t gated_sink::memory_bytes() const {
  const auto lock = std::lock_guard{mutex_};
  return memory_bytes_;
}

uint64_t gated_sink::vmstate_bytes_written() const {
  const auto lock = std::lock_guard{mutex_};
  return vmstate_.written_bytes();
}

} // namespace forkfleet::qemu
