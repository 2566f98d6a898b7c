// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "node/qemu/device_state.hpp"
#include "node/qemu/migration.hpp"
#include "node/qemu/stopped_capture.hpp"
#include "node/qemu/stream_task.hpp"

namespace forkfleet::qemu {

namespace {

// Room for device state, so that none is made in the pause.
constexpr std::size_t state_bytes_expected = 8u << 20;

// Where a stopped stream goes: no storage, only memory.
class buffer_sink : public split_sink {
public:
  buffer_sink(page_buffer& memory, std::vector<uint8_t>& state)
    : memory_{memory}, state_{state} {}

  status data_page(uint64_t address, byte_view page) override {
    const auto room = memory_.add({address, address + page_bytes});
    std::copy(page.begin(), page.end(), room.begin());
    return {};
  }

  status zero_page(uint64_t address) override {
    memory_.add_zeros({address, address + page_bytes});
    return {};
  }

  status device_state(byte_view bytes) override {
    if (state_.size() + bytes.size() > state_bytes_max)
      return fail(ec::unsupported, "more than 1 GiB of device state");
    state_.insert(state_.end(), bytes.begin(), bytes.end());
    return {};
  }

private:
  page_buffer& memory_;
  std::vector<uint8_t>& state_;
};

class send_capture : public stopped_capture {
public:
  using stopped_capture::stopped_capture;
  ~send_capture() override { send_capture::abandon(); }

  std::string_view name() const override { return "stopped-send"; }

  void abandon() noexcept override {
    stopped_capture::abandon();
    pipe_.reader.reset();
    if (std::exchange(is_given_, false))
      take_back_fd(x_.qmp);
  }

private:
  status make_ready(deadline_point until) override {
    state_.reserve(state_bytes_expected);
    if (auto set = set_up_migration(x_.qmp, false, until); !set)
      return set;
    auto made = make_pipe();
    if (!made)
      return tl::unexpected(made.error());
    pipe_ = std::move(*made);
    auto given = give_fd(x_.qmp, pipe_.writer.get(), until);
    is_given_ = given.has_value();
    pipe_.writer.reset();
    return given;
  }

  status take(deadline_point until) override {
    is_given_ = false;
    if (auto started = start_migration(x_.qmp, until); !started)
      return started;
    auto source = pipe_source{pipe_.reader.get(), until};
    auto sink = buffer_sink{*buffer_, state_};
    const auto split =
      split_stream(source, sink, {x_.memory_bytes, x_.memory_block});
    if (!split) {
      // With the guest stopped before, a failed migration does no harm.
      pipe_.reader.reset();
      return tl::unexpected(split.error());
    }
    return wait_until_completed(x_.qmp, until);
  }

  expected<std::vector<uint8_t>> device_state() override { return state_; }

  pipe_ends pipe_ = {};
  bool is_given_ = false; // QEMU holds the pipe's end and did not use it
  std::vector<uint8_t> state_ = {};
};

} // namespace

std::unique_ptr<capture_method> make_send_capture(capture_context x) {
  return std::make_unique<send_capture>(std::move(x));
}

} // namespace forkfleet::qemu
