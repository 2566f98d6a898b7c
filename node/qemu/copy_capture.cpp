// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "node/qemu/guest_memory.hpp"
#include "node/qemu/page_copy.hpp"
#include "node/qemu/page_map.hpp"
#include "node/qemu/state_saver.hpp"
#include "node/qemu/stopped_capture.hpp"

namespace forkfleet::qemu {

namespace {

// Room for the list of pages, so that none is made in the pause.
constexpr std::size_t runs_expected = 1 << 16;

// What is copied to learn how fast that is.
constexpr uint64_t trial_bytes = 8ull << 20;
constexpr uint64_t trial_bytes_min = 256ull << 10;
constexpr std::size_t trial_parts_max = 512;

// Reads QEMU's memory from outside: all of it, or only what the process has of
// its own where the rest is known to be zeros, or a child's parent's.
class copy_capture : public stopped_capture {
public:
  copy_capture(capture_context x, bool is_of_child)
    : stopped_capture{std::move(x)}, is_of_child_{is_of_child}, saver_{x_.qmp} {
  }

  std::string_view name() const override {
    return is_of_child_ ? "page-map" : "stopped-copy";
  }

  void abandon() noexcept override {
    stopped_capture::abandon();
    saver_.release();
  }

  expected<capture_result> drain(deadline_point until) override {
    auto result = stopped_capture::drain(until);
    abandon();
    return result;
  }

private:
  status make_ready(deadline_point until) override {
    auto memory = guest_memory::open(x_.qmp.process(), x_.memory_bytes,
                                     x_.memory_path, x_.memory_begin);
    if (!memory)
      return tl::unexpected(memory.error());
    memory_.emplace(std::move(*memory));
    found_.reserve(runs_expected);
    todo_.emplace(x_.memory_bytes);
    // Only of private memory does the page map tell what was written. What is
    // not in it shows a file that nobody else here has, unless it is a child's.
    if (is_of_child_ ? memory_->kind() != memory_kind::shared
                     : memory_->kind() == memory_kind::private_anonymous)
      if (auto pages = page_map::open(x_.qmp.process().pid))
        pages_.emplace(std::move(*pages));
    if (is_of_child_ && !pages_)
      return fail(ec::unsupported, "the page map cannot be read");
    if (auto known = find(); !known)
      return known;
    expected_bytes_ = todo_->bytes();
    if (!is_known())
      if (auto measured = measure(); !measured)
        return measured;
    return saver_.prepare(until);
  }

  // Copies a part of it while the guest runs, to learn how long the whole
  // would take, and throws it away.
  status measure() {
    auto room = std::vector<uint8_t>(trial_bytes);
    auto parts = std::vector<memory_range>{};
    auto rooms = std::vector<std::span<uint8_t>>{};
    uint64_t bytes = 0;
    for (auto run = todo_->next(0, trial_bytes);
         run.begin < run.end && bytes + run.bytes() <= trial_bytes
         && parts.size() < trial_parts_max;
         run = todo_->next(run.end, trial_bytes)) {
      parts.push_back(run);
      rooms.push_back(std::span{room}.subspan(bytes, run.bytes()));
      bytes += run.bytes();
    }
    const auto start = std::chrono::steady_clock::now();
    if (auto read = memory_->read(parts, rooms); !read)
      return read;
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - start);
    // Less tells more of the clock than of the memory.
    if (bytes >= trial_bytes_min && took.count() > 0)
      copied_bytes_per_second_ =
        bytes * 1'000'000 / static_cast<uint64_t>(took.count());
    return {};
  }

  status take(deadline_point until) override {
    if (auto known = find(); !known)
      return known;
    if (auto copied = copy_pages(*memory_, *todo_, *buffer_); !copied)
      return copied;
    return saver_.save(until);
  }

  // What is to be copied.
  status find() {
    todo_->clear();
    if (!pages_) {
      todo_->add({0, x_.memory_bytes});
      return {};
    }
    if (auto done = pages_->scan(memory_->begin(), x_.memory_bytes,
                                 page_question::own, false, found_);
        !done)
      return done;
    for (const auto& run : found_)
      if (is_of_child_ || !run.is_zero)
        todo_->add(run.range);
    return {};
  }

  bool rest_is_base() const override { return is_of_child_; }

  expected<std::vector<uint8_t>> device_state() override {
    return saver_.loadable(x_.machine_type);
  }

  bool is_of_child_;
  state_saver saver_;
  std::optional<guest_memory> memory_ = {};
  std::optional<page_map> pages_ = {};
  std::optional<page_set> todo_ = {};
  std::vector<page_run> found_ = {};
};

} // namespace

std::unique_ptr<capture_method> make_copy_capture(capture_context x) {
  return std::make_unique<copy_capture>(std::move(x), false);
}

std::unique_ptr<capture_method> make_page_map_capture(capture_context x) {
  return std::make_unique<copy_capture>(std::move(x), true);
}

} // namespace forkfleet::qemu
