// SPDX-License-Identifier: Apache-2.0
#include "node/storage/staging.hpp"

#include <algorithm>
#include <fcntl.h>

#include "actors/fault.hpp"
#include "node/storage/file.hpp"
#include "node/storage/reservation.hpp"

namespace forkfleet {

namespace {

/// The least that is told as missing: one block of any file system.
constexpr uint64_t block_bytes = 4096;

/// What the branch' memory is written to.
const char* memory_name(memory_form form) {
  return form == memory_form::diff ? diff_name : memory_file;
}

/// Scattered writes into a clone take at least so much at once.
constexpr uint64_t clone_piece_bytes = 1u << 20;

/// One branch' staging in the making.
class staging_maker {
public:
  staging_maker(const staging_request& request, const staging_place& place,
                const clone_base& base)
    : request_(request), place_(place), base_(base) {
    area_->numbers.file_system = place.file_system;
    area_->directory = place.directory();
    area_->form = request.form;
  }

  tl::expected<disk_staging_ptr, staging_failure> run() {
    auto done = make_files();
    if (done)
      done = make_sink();
    if (done && request_.policy != reserve_policy::off)
      done = reserve_files();
    if (done)
      done = give_memory_its_size();
    if (done)
      done = fault_point("staging.reserved");
    if (!done)
      return give_up(done.error());
    return std::move(area_);
  }

private:
  status make_files() {
    if (auto gone = remove_tree(place_.parent, place_.name); !gone)
      return gone;
    if (auto made = make_directory(place_.directory()); !made)
      return made;
    if (auto fault = fault_point("staging.made"); !fault)
      return fault;
    for (const auto& [name, fd] :
         {std::pair{memory_name(request_.form), &area_->memory_fd},
          std::pair{vmstate_file, &area_->vmstate},
          std::pair{manifest_file, &area_->manifest}}) {
      auto opened = open_file(path_of(name), O_RDWR | O_CREAT | O_EXCL);
      if (!opened)
        return tl::unexpected<failure>(opened.error());
      *fd = std::move(*opened);
    }
    return {};
  }

  status make_sink() {
    const auto path = path_of(memory_name(request_.form));
    const int fd = area_->memory_fd.get();
    const auto bytes = request_.memory_bytes;
    switch (request_.form) {
      case memory_form::flat:
        area_->flat = std::make_unique<flat_sink>(
          fd, path, bytes, flat_origin::fresh, place_.debt);
        return {};
      case memory_form::clone:
        area_->flat = std::make_unique<flat_sink>(
          fd, path, bytes, flat_origin::cloned, place_.debt);
        area_->base_extents = base_.extents;
        return clone_base_to(fd, path);
      case memory_form::diff:
        area_->diff = std::make_unique<diff_sink>(
          fd, path,
          diff_subject{bytes, from_hex(request_.base_hash).value_or(sha256{})},
          place_.debt);
        return {};
    }
    return {};
  }

  status clone_base_to(int fd, const std::string& path) {
    const auto base = open_file(base_.memory_path, O_RDONLY);
    if (!base)
      return tl::unexpected<failure>(base.error());
    if (auto cloned = clone_file(fd, base->get(), path); !cloned)
      return cloned;
    set_clone_piece(fd, clone_piece_bytes);
    return {};
  }

  /// A clone cannot reserve: its blocks are taken as they are written.
  status reserve_memory() {
    switch (request_.form) {
      case memory_form::flat:
        return reserve_one(area_->memory_fd, request_.memory_bytes,
                           reserve_shape::exact);
      case memory_form::diff:
        return reserve_diff();
      case memory_form::clone:
        return area_->flat->expect(request_.expected_bytes);
    }
    return {};
  }

  status reserve_diff() {
    auto done = area_->diff->expect(request_.expected_bytes);
    area_->numbers.outcome = area_->diff->outcome();
    if (area_->numbers.outcome == reserve_outcome::unsupported)
      return refuse_unreserved();
    return done;
  }

  status reserve_files() {
    using enum reserve_shape;
    auto done = reserve_memory();
    if (done)
      done = reserve_one(area_->vmstate, request_.vmstate_bytes, at_most);
    if (done)
      done = reserve_one(area_->manifest,
                         manifest_slack_bytes(request_.memory_bytes), at_most);
    return done;
  }

  /// Success also where the file system cannot and the policy allows that.
  status reserve_one(const unique_fd& fd, uint64_t bytes, reserve_shape shape) {
    auto& numbers = area_->numbers;
    if (numbers.outcome == reserve_outcome::unsupported)
      return {};
    const auto [outcome, error] = reserve(fd.get(), bytes, shape);
    numbers.outcome = outcome;
    if (outcome == reserve_outcome::reserved) {
      numbers.reserved_bytes += bytes;
      return {};
    }
    if (outcome == reserve_outcome::unsupported)
      return refuse_unreserved();
    return tl::unexpected<failure>(
      errno_failure(error, "reserve " + std::to_string(bytes) + " bytes in "
                             + place_.directory()));
  }

  /// Whether the policy allows to go on without.
  status refuse_unreserved() const {
    if (request_.policy == reserve_policy::best_effort)
      return {};
    return fail(ec::unsupported,
                place_.file_system + " cannot reserve space in "
                  + place_.directory()
                  + "; use ext4, XFS or tmpfs, or reserve: best-effort");
  }

  /// Only where nothing was reserved; it would throw reserved extents away
  /// if the sizes ever differed.
  status give_memory_its_size() {
    if (request_.form != memory_form::flat
        || area_->numbers.reserved_bytes != 0)
      return {};
    return resize_file(area_->memory_fd.get(), request_.memory_bytes,
                       path_of(memory_file));
  }

  /// Removes everything; ext4 keeps what a failed fallocate has got so far.
  tl::unexpected<staging_failure> give_up(const failure& error) {
    auto numbers = area_->numbers;
    const auto got = stored_bytes(path_of(memory_name(request_.form)))
                     + stored_bytes(path_of(vmstate_file))
                     + stored_bytes(path_of(manifest_file));
    area_.reset();
    static_cast<void>(remove_tree(place_.parent, place_.name));
    numbers.reserved_bytes = 0;
    const auto needed = needed_bytes(request_);
    if (numbers.outcome == reserve_outcome::no_space)
      return tl::unexpected{
        no_room(place_, needed, available_bytes(place_.parent).value_or(got))};
    if (numbers.outcome == reserve_outcome::quota)
      numbers.missing_bytes = needed - std::min(got, needed - block_bytes);
    // Also a write before the reservation may find no space.
    const bool is_full =
      error.code == ec::disk_full || error.code == ec::quota_exceeded;
    if (is_full && numbers.missing_bytes == 0) {
      const auto free = available_bytes(place_.parent).value_or(0);
      numbers.missing_bytes = needed > free ? needed - free : block_bytes;
    }
    return tl::unexpected{staging_failure{error, numbers}};
  }

  std::string path_of(const char* name) const {
    return place_.directory() + "/" + name;
  }

  const staging_request& request_;
  const staging_place& place_;
  const clone_base& base_;
  disk_staging_ptr area_ = std::make_unique<disk_staging_area>();
};

} // namespace

memory_sink& disk_staging_area::memory() {
  if (diff)
    return *diff;
  return *flat;
}

const reservation& disk_staging_area::reserved() const {
  total_ = numbers;
  if (diff)
    total_.reserved_bytes += diff->reserved_bytes();
  return total_;
}

uint64_t needed_bytes(const staging_request& request) {
  const auto rest =
    request.vmstate_bytes + manifest_slack_bytes(request.memory_bytes);
  if (request.form == memory_form::flat)
    return request.memory_bytes + rest;
  return diff_file_bytes(request.expected_bytes,
                         request.expected_bytes / guest_page_bytes)
         + rest;
}

staging_failure no_room(const staging_place& place, uint64_t needed,
                        uint64_t free) {
  // What is free can be enough by its number and still not do: the file
  // system needs some for itself.
  const auto missing = needed > free ? needed - free : block_bytes;
  const auto text = "a snapshot needs " + std::to_string(needed) + " bytes in "
                    + place.parent + " (" + place.file_system
                    + "): " + std::to_string(free) + " are free, "
                    + std::to_string(missing) + " are missing";
  return {{ec::disk_full, text},
          {.outcome = reserve_outcome::no_space,
           .missing_bytes = missing,
           .file_system = place.file_system}};
}

tl::expected<disk_staging_ptr, staging_failure>
make_staging(const staging_request& request, const staging_place& place,
             const clone_base& base) {
  return staging_maker{request, place, base}.run();
}

} // namespace forkfleet
