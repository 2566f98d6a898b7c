// SPDX-License-Identifier: Apache-2.0
// What the seed does on a BRANCH with `diff`: a thread copies the base's image
// beside the pause; in the pause the dirty pages go to a sparse file, and that
// file and the device state are synced; after it the diff is applied to the
// copy. Three variants of how the copy's target is made.
#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "node/bench/chain_path.hpp"
#include "node/storage/file.hpp"

namespace forkfleet::bench {

namespace {

using clock = std::chrono::steady_clock;
using std::chrono::duration_cast;

constexpr uint64_t piece_bytes = 1u << 20;
constexpr uint64_t vmstate_bytes = 16u << 10;

microseconds since(clock::time_point start) {
  return duration_cast<microseconds>(clock::now() - start);
}

/// All of `from` to `to`, as Rust's standard library copies a file.
status copy_all(int from, int to, uint64_t bytes, const std::string& path) {
  for (uint64_t done = 0; done < bytes;) {
    const auto count =
      copy_file_range(from, nullptr, to, nullptr, bytes - done, 0);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return tl::unexpected(errno_failure(errno, "copy to " + path));
    done += static_cast<uint64_t>(count);
  }
  return {};
}

/// The allocated parts of `from` onto the same places of `to`.
status apply_diff(int from, int to, uint64_t bytes, const std::string& path) {
  std::vector<uint8_t> piece(piece_bytes);
  off_t at = 0;
  while (true) {
    const auto begin = lseek(from, at, SEEK_DATA);
    if (begin < 0)
      return {};
    const auto end =
      std::min(lseek(from, begin, SEEK_HOLE), static_cast<off_t>(bytes));
    for (auto here = static_cast<uint64_t>(begin);
         here < static_cast<uint64_t>(end);) {
      const auto part = std::span{piece}.first(
        std::min(piece_bytes, static_cast<uint64_t>(end) - here));
      if (auto done = read_at(from, part, here, path); !done)
        return done;
      if (auto done = write_at(to, part, here, path); !done)
        return done;
      here += part.size();
    }
    at = end;
  }
}

class seed_path final : public chain_path {
public:
  seed_path(chain_arm arm, chain_place place)
    : arm_(arm), place_(std::move(place)), piece_(piece_bytes) {}

  status begin() override;
  expected<chain_sample> branch(uint64_t number) override;
  status verify() override;

private:
  std::string image(uint64_t number) const {
    return place_.directory + "/memory-" + std::to_string(number);
  }
  uint64_t bytes() const { return place_.guest->memory_bytes(); }

  status write_ranges(int fd, const std::vector<memory_range>& ranges,
                      const std::string& path);
  status reserve(const std::string& path) const;
  expected<unique_fd> open_target(const std::string& path) const;
  status copy_base(uint64_t number, microseconds& took);
  status stand_still(const std::string& diff, const std::string& vmstate,
                     chain_sample& sample);
  status merge(const std::string& diff, const std::string& target) const;
  void forget_oldest(uint64_t number) const;

  chain_arm arm_;
  chain_place place_;
  std::vector<uint8_t> piece_;
  uint64_t last_ = 0;
};

status seed_path::begin() {
  auto& guest = *place_.guest;
  auto fd = open_file(image(0), O_WRONLY | O_CREAT | O_EXCL);
  if (!fd)
    return tl::unexpected(fd.error());
  guest.pause(clock::now());
  auto done = write_ranges(fd->get(), {{0, bytes()}}, image(0));
  std::ignore = guest.take_written(clock::now());
  guest.resume(clock::now());
  return done;
}

status seed_path::write_ranges(int fd, const std::vector<memory_range>& ranges,
                               const std::string& path) {
  for (const auto& range : ranges)
    for (auto at = range.begin; at < range.end;) {
      const auto part =
        std::span{piece_}.first(std::min(piece_bytes, range.end - at));
      place_.guest->read({at, at + part.size()}, part, clock::now());
      if (auto done = write_at(fd, part, at, path); !done)
        return done;
      at += part.size();
    }
  return {};
}

status seed_path::reserve(const std::string& path) const {
  if (arm_ != chain_arm::fallocate_kept && arm_ != chain_arm::seed_as_coded)
    return {};
  const auto fd = open_file(path, O_WRONLY | O_CREAT);
  if (!fd)
    return tl::unexpected(fd.error());
  if (fallocate(fd->get(), 0, 0, static_cast<off_t>(bytes())) != 0)
    return tl::unexpected(errno_failure(errno, "reserve " + path));
  return {};
}

expected<unique_fd> seed_path::open_target(const std::string& path) const {
  const auto more = arm_ == chain_arm::fallocate_kept ? 0 : O_TRUNC;
  return open_file(path, O_WRONLY | O_CREAT | more);
}

/// Its end includes close(2), in which some file systems write.
status seed_path::copy_base(uint64_t number, microseconds& took) {
  const auto start = clock::now();
  auto done = [&]() -> status {
    const auto from = open_file(image(number - 1), O_RDONLY);
    if (!from)
      return tl::unexpected(from.error());
    const auto to = open_target(image(number));
    if (!to)
      return tl::unexpected(to.error());
    return copy_all(from->get(), to->get(), bytes(), image(number));
  }();
  took = since(start);
  return done;
}

/// The pause window: the diff and the device state to the disk, both synced.
status seed_path::stand_still(const std::string& diff,
                              const std::string& vmstate,
                              chain_sample& sample) {
  auto& guest = *place_.guest;
  const auto start = clock::now();
  std::this_thread::sleep_for(stop_cost);
  guest.pause(clock::now());
  auto done = [&]() -> status {
    std::this_thread::sleep_for(device_state_cost);
    auto state = open_file(vmstate, O_WRONLY | O_CREAT | O_TRUNC);
    auto pages = open_file(diff, O_WRONLY | O_CREAT | O_TRUNC);
    if (!state || !pages)
      return fail(ec::io_failed, "cannot make " + diff + " or " + vmstate);
    const std::vector<uint8_t> device(vmstate_bytes, 0x5d);
    if (auto written = write_at(state->get(), device, 0, vmstate); !written)
      return written;
    const auto first = clock::now();
    if (fsync(state->get()) != 0)
      return tl::unexpected(errno_failure(errno, "sync " + vmstate));
    sample.sync = since(first);
    const auto log = guest.take_written(clock::now());
    if (ftruncate(pages->get(), static_cast<off_t>(bytes())) != 0)
      return tl::unexpected(errno_failure(errno, "grow " + diff));
    if (auto written = write_ranges(pages->get(), log.ranges(), diff); !written)
      return written;
    const auto second = clock::now();
    if (fsync(pages->get()) != 0)
      return tl::unexpected(errno_failure(errno, "sync " + diff));
    sample.sync += since(second);
    return {};
  }();
  std::this_thread::sleep_for(resume_cost);
  guest.resume(clock::now());
  sample.pause = since(start);
  return done;
}

status seed_path::merge(const std::string& diff,
                        const std::string& target) const {
  const auto from = open_file(diff, O_RDONLY);
  const auto to = open_file(target, O_WRONLY);
  if (!from || !to)
    return fail(ec::io_failed, "cannot open " + diff + " or " + target);
  return apply_diff(from->get(), to->get(), bytes(), target);
}

void seed_path::forget_oldest(uint64_t number) const {
  if (number > place_.images_kept)
    unlink(image(number - place_.images_kept - 1).c_str());
}

expected<chain_sample> seed_path::branch(uint64_t number) {
  chain_sample sample;
  const auto diff = place_.directory + "/diff";
  const auto start = clock::now();
  if (auto done = reserve(image(number)); !done)
    return tl::unexpected(done.error());
  status copied = {};
  auto copier =
    std::thread{[this, number, copied = &copied, took = &sample.copy] {
      *copied = copy_base(number, *took);
    }};
  auto done = stand_still(diff, image(number) + ".vmstate", sample);
  copier.join();
  if (!copied)
    return tl::unexpected(copied.error());
  if (done)
    done = merge(diff, image(number));
  sample.written_bytes = bytes() + stored_bytes(diff) + vmstate_bytes;
  unlink(diff.c_str());
  sample.total = since(start);
  if (!done)
    return tl::unexpected(done.error());
  // Its copy is on its way to the disk already; for the others a sync would
  // change what comes next.
  if (arm_ == chain_arm::seed_as_coded) {
    const auto made = open_file(image(number), O_WRONLY);
    if (made && sync_data(made->get(), image(number)))
      sample.durable = since(start);
  }
  sample.method = to_string(arm_);
  last_ = number;
  forget_oldest(number);
  return sample;
}

status seed_path::verify() {
  const auto path = image(last_);
  const auto fd = open_file(path, O_RDONLY);
  if (!fd)
    return tl::unexpected(fd.error());
  return compare_memory(*place_.guest,
                        [&](uint64_t at, std::span<uint8_t> into) {
                          return read_at(fd->get(), into, at, path);
                        });
}

} // namespace

expected<chain_path_ptr> make_seed_path(chain_arm arm, chain_place place) {
  return std::make_unique<seed_path>(arm, std::move(place));
}

status compare_memory(
  simulated_machine& guest,
  const std::function<status(uint64_t, std::span<uint8_t>)>& read) {
  std::vector<uint8_t> ours(piece_bytes);
  std::vector<uint8_t> theirs(piece_bytes);
  for (uint64_t at = 0; at < guest.memory_bytes(); at += piece_bytes) {
    const auto size = std::min(piece_bytes, guest.memory_bytes() - at);
    const auto mine = std::span{ours}.first(size);
    const auto kept = std::span{theirs}.first(size);
    guest.read({at, at + size}, mine, clock::now());
    if (auto done = read(at, kept); !done)
      return done;
    const auto place = std::mismatch(mine.begin(), mine.end(), kept.begin());
    if (place.first != mine.end())
      return fail(ec::snapshot_corrupt,
                  "the snapshot differs from the stopped memory at byte "
                    + std::to_string(
                      at + static_cast<uint64_t>(place.first - mine.begin())));
  }
  return {};
}

} // namespace forkfleet::bench
