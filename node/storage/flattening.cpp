// SPDX-License-Identifier: Apache-2.0
#include "node/storage/flattening.hpp"

#include <algorithm>
#include <fcntl.h>

#include "actors/fault.hpp"
#include "node/storage/file.hpp"
#include "node/storage/flat_record.hpp"
#include "node/storage/reservation.hpp"
#include "node/storage/zeros.hpp"

namespace forkfleet {

namespace {

/// Zeros of at least this size become holes.
constexpr uint64_t hole_bytes = 64u << 10;

class flattening {
public:
  explicit flattening(const flatten_job& job)
    : job_{job}, path_{job.directory + "/" + memory_file},
      touched_(extent_count(job.image->bytes())) {}

  status run() {
    auto done = check_diffs();
    if (done)
      done = make_file();
    if (done)
      done = fault_point("flatten.made");
    if (done)
      done = write_all();
    if (done)
      done = file_->sync();
    if (done)
      done = fault_point("flatten.synced");
    if (done)
      done = vouch();
    if (!done)
      clear();
    return done;
  }

private:
  const memory_layout& layout() const { return job_.image->layout(); }

  status check_diffs() {
    for (const auto& diff : job_.image->diffs())
      if (auto good = verify_data(diff, job_.how.stop); !good)
        return good;
    for (const auto& segment : layout().segments)
      if (segment.file != 0u)
        for (auto i = segment.address / hash_extent_bytes;
             i * hash_extent_bytes < segment.address + segment.bytes; ++i)
          touched_[i] = true;
    return {};
  }

  status make_file() {
    if (auto gone = remove_file(path_); !gone)
      return gone;
    auto fd = open_file(path_, O_RDWR | O_CREAT | O_EXCL);
    if (!fd)
      return tl::unexpected<failure>(fd.error());
    fd_ = std::move(*fd);
    file_.emplace(fd_.get(), path_, job_.how, job_.debt);
    if (job_.may_clone) {
      const auto cloned = clone_file(fd_.get(), job_.image->fd(0), path_);
      if (!cloned && cloned.error().code != ec::unsupported)
        return cloned;
      is_clone_ = cloned.has_value();
    }
    if (auto room = check_room(); !room || is_clone_)
      return room;
    return resize_file(fd_.get(), job_.image->bytes(), path_);
  }

  /// Refused here rather than tried: others on this disk need room, too.
  status check_room() const {
    uint64_t needed = 0;
    if (is_clone_)
      for (const auto& diff : job_.image->diffs())
        needed += diff.table.data_bytes;
    else
      needed = stored_bytes(layout().files.front());
    needed = std::min(needed, job_.image->bytes());
    const auto free = available_bytes(job_.directory);
    if (!free)
      return tl::unexpected<failure>(free.error());
    if (*free < needed)
      return fail(ec::disk_full, path_ + " takes " + std::to_string(needed)
                                   + " bytes: " + std::to_string(*free)
                                   + " are free");
    return {};
  }

  status write_all() {
    std::vector<uint8_t> buffer(
      std::min(hash_extent_bytes, job_.image->bytes()));
    for (std::size_t i = 0; i < touched_.size(); ++i) {
      const auto start = i * hash_extent_bytes;
      const auto length =
        std::min(hash_extent_bytes, job_.image->bytes() - start);
      if (auto done = one_extent(i, std::span{buffer}.first(length)); !done)
        return done;
    }
    return {};
  }

  /// Extents that no diff touches keep their hash, and are read only to be
  /// copied.
  status one_extent(std::size_t i, std::span<uint8_t> bytes) {
    if (!touched_[i] && is_clone_) {
      hashes_.push_back(job_.base_extents[i]);
      return {};
    }
    const auto start = i * hash_extent_bytes;
    auto done = job_.how.wait();
    if (done)
      done = read_base(i, bytes);
    if (done && touched_[i])
      done = job_.image->read(start, bytes);
    if (!done)
      return done;
    const auto hash = touched_[i] ? hash_bytes(bytes) : job_.base_extents[i];
    if (!hash)
      return tl::unexpected<failure>(hash.error());
    hashes_.push_back(*hash);
    return is_clone_ ? write_changes(start, bytes) : write_data(start, bytes);
  }

  status read_base(std::size_t i, std::span<uint8_t> bytes) {
    const auto& path = layout().files.front();
    if (auto read =
          read_at(job_.image->fd(0), bytes, i * hash_extent_bytes, path);
        !read)
      return read;
    const auto hash = hash_bytes(bytes);
    if (!hash)
      return tl::unexpected<failure>(hash.error());
    if (*hash != job_.base_extents[i])
      return fail(ec::snapshot_corrupt, path + ": extent " + std::to_string(i)
                                          + " is not what was sealed");
    return {};
  }

  /// All but what is zeros.
  status write_data(uint64_t start, std::span<const uint8_t> bytes) {
    uint64_t begin = 0;
    for (uint64_t at = 0; at < bytes.size(); at += hole_bytes) {
      const auto part =
        bytes.subspan(at, std::min(hole_bytes, bytes.size() - at));
      if (!is_zero(part))
        continue;
      if (auto done = write_part(start, bytes, begin, at); !done)
        return done;
      begin = at + part.size();
    }
    return write_part(start, bytes, begin, bytes.size());
  }

  status write_part(uint64_t start, std::span<const uint8_t> bytes,
                    uint64_t begin, uint64_t end) {
    return begin >= end
             ? status{}
             : file_->write(bytes.subspan(begin, end - begin), start + begin);
  }

  /// Only what lies in diffs.
  status write_changes(uint64_t start, std::span<const uint8_t> bytes) {
    const auto end = start + bytes.size();
    auto segment = std::prev(std::ranges::upper_bound(
      layout().segments, start, {}, &memory_segment::address));
    for (; segment != layout().segments.end() && segment->address < end;
         ++segment) {
      const auto from = std::max(start, segment->address);
      const auto to = std::min(end, segment->address + segment->bytes);
      status done;
      if (!segment->file)
        done = make_zeros(from, to);
      else if (*segment->file != 0)
        done = file_->write(bytes.subspan(from - start, to - from), from);
      if (!done)
        return done;
    }
    return {};
  }

  status make_zeros(uint64_t from, uint64_t to) {
    const auto punched = punch_hole(fd_.get(), from, to - from, path_);
    if (punched || punched.error().code != ec::unsupported)
      return punched;
    return file_->write(std::vector<uint8_t>(to - from), from);
  }

  /// Written last: from here on the image counts.
  status vouch() {
    const auto text =
      flat_record_text({.root_hash = job_.manifest.root_hash,
                        .memory_bytes = job_.manifest.memory_bytes,
                        .extents = to_hex(hashes_)});
    if (!text)
      return tl::unexpected<failure>(text.error());
    auto done = sync_directory(job_.directory);
    if (done)
      done = write_durably(job_.directory + "/" + flat_record_file, *text);
    if (done)
      done = fault_point("flatten.vouched");
    return done;
  }

  void clear() {
    file_.reset();
    const auto record = job_.directory + "/" + flat_record_file;
    if (remove_file(record) && remove_file(path_))
      static_cast<void>(sync_directory(job_.directory));
  }

  const flatten_job& job_;
  std::string path_;
  std::vector<bool> touched_;
  std::vector<sha256> hashes_ = {};
  unique_fd fd_ = {};
  std::optional<paced_file> file_ = {};
  bool is_clone_ = false;
};

} // namespace

status flatten_files(const flatten_job& job) {
  return flattening{job}.run();
}

} // namespace forkfleet
