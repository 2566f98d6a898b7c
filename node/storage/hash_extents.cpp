// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <mutex>
#include <system_error>
#include <thread>
#include <unistd.h>

#include "node/storage/file.hpp"
#include "node/storage/hash.hpp"
#include "node/storage/zeros.hpp"

namespace forkfleet {

namespace {

constexpr unsigned threads_max = 4;

/// Where data or a hole starts at or after `at`, at most `end`. Nothing when
/// the file system cannot tell.
std::optional<uint64_t> seek(int fd, uint64_t at, int what, uint64_t end) {
  const auto found = ::lseek(fd, static_cast<off_t>(at), what);
  if (found >= 0)
    return std::min(static_cast<uint64_t>(found), end);
  if (errno == ENXIO) // no data up to the end of the file
    return end;
  return std::nullopt;
}

/// Hashes extents of one file on several threads, each with its own buffer.
/// It reads instead of mapping: a disk that fails then is an error and not
/// SIGBUS, and a hole costs no pages.
class extent_hasher {
public:
  explicit extent_hasher(const hash_job& job)
    : job_(job), hashes_(extent_count(job.bytes)) {}

  expected<std::vector<sha256>> run() {
    const auto own_choice =
      std::clamp(std::thread::hardware_concurrency() / 2, 1u, threads_max);
    const auto wanted = job_.threads != 0 ? job_.threads : own_choice;
    std::vector<std::jthread> others;
    try {
      while (others.size() + 1 < std::min<std::size_t>(wanted, hashes_.size()))
        others.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      // Fewer threads do the same work.
    }
    work();
    others.clear();
    if (error_)
      return tl::unexpected<failure>(error_);
    return std::move(hashes_);
  }

private:
  void work() {
    std::vector<uint8_t> buffer(std::min(hash_extent_bytes, job_.bytes));
    std::optional<sha256> zero;
    for (;;) {
      const auto i = next_.fetch_add(1);
      if (i >= hashes_.size())
        return;
      if (job_.only != nullptr && !(*job_.only)[i])
        continue;
      if (job_.stop && job_.stop())
        return give_up(
          {ec::interrupted, "stopped while " + job_.path + " was read"});
      const auto start = i * hash_extent_bytes;
      const auto length = std::min(hash_extent_bytes, job_.bytes - start);
      const std::span<uint8_t> bytes{buffer.data(), length};
      if (auto hashed = hash_one(bytes, job_.offset + start, zero); hashed)
        hashes_[i] = *hashed;
      else
        give_up(hashed.error());
    }
  }

  expected<sha256> hash_one(std::span<uint8_t> bytes, uint64_t start,
                            std::optional<sha256>& zero) {
    if (job_.start_writeback) // a hint: what fails here fails in the sync
      static_cast<void>(
        start_writeback(job_.fd, start, bytes.size(), job_.path));
    if (auto read = read_without_holes(job_, bytes, start); !read)
      return tl::unexpected<failure>(read.error());
    if (bytes.size() != hash_extent_bytes || !is_zero(bytes))
      return hash_bytes(bytes);
    if (!zero) {
      const auto hashed = hash_bytes(bytes);
      if (!hashed)
        return hashed;
      zero = *hashed;
    }
    return *zero;
  }

  void give_up(const failure& error) {
    const std::lock_guard lock{mutex_};
    if (!error_)
      error_ = error;
    next_ = hashes_.size();
  }

  const hash_job& job_;
  std::vector<sha256> hashes_;
  std::atomic<std::size_t> next_{0};
  std::mutex mutex_;
  failure error_;
};

} // namespace

status read_without_holes(const hash_job& job, std::span<uint8_t> bytes,
                          uint64_t start) {
  const auto end = start + bytes.size();
  auto at = start;
  while (at < end) {
    const auto data = seek(job.fd, at, SEEK_DATA, end);
    if (!data) // no such call on this file system
      return read_at(job.fd, bytes, start, job.path);
    const auto gap = bytes.subspan(at - start, *data - at);
    std::fill(gap.begin(), gap.end(), uint8_t{0});
    if (*data == end)
      return {};
    const auto hole = seek(job.fd, *data, SEEK_HOLE, end).value_or(end);
    at = hole > *data ? hole : end; // always forward
    const auto part = bytes.subspan(*data - start, at - *data);
    if (auto read = read_at(job.fd, part, *data, job.path); !read)
      return read;
  }
  return {};
}

status check_end(const hash_job& job) {
  const auto size = file_size(job.fd, job.path);
  if (!size)
    return tl::unexpected<failure>(size.error());
  // A hole reads as zeros; so would what is missing at the end.
  if (const auto end = job.offset + job.bytes; *size < end)
    return fail(ec::io_failed, job.path + " ends at byte "
                                 + std::to_string(*size) + " of "
                                 + std::to_string(end));
  return {};
}

expected<std::vector<sha256>> hash_extents(const hash_job& job) {
  if (auto whole = check_end(job); !whole)
    return tl::unexpected<failure>(whole.error());
  return extent_hasher{job}.run();
}

} // namespace forkfleet
