// SPDX-License-Identifier: Apache-2.0
#include "node/branch_record.hpp"

#include <algorithm>

namespace forkfleet {

branch_record::branch_record(const branch_context& context,
                             const branch_request& request)
  : context_{context}, request_{request} {
  report_.stages.reserve(8); // no allocation in the pause window
  report_.operation = request.operation;
  report_.sandbox = request.sandbox;
  report_.tag = request.tag;
  report_.host = context.host;
  report_.mode = request.mode;
  report_.subject = request.subject;
  report_.max_pause = request.max_pause.count() > 0 ? request.max_pause
                                                    : context.policy.max_pause;
  report_.started_at = context.wall() - since(context.arrival);
  const auto allowed =
    request.deadline.count() > 0 ? request.deadline : context.policy.deadline;
  until_ = context.arrival + allowed;
}

microseconds branch_record::since(clock_point start) const {
  return std::chrono::duration_cast<microseconds>(context_.now() - start);
}

void branch_record::note(const failure& error) {
  if (!report_.outcome || error.code == ec::guest_stuck)
    report_.outcome = error;
}

void branch_record::warn(std::string warning) {
  report_.warnings.push_back(std::move(warning));
}

void branch_record::explain(const std::string& reason) {
  if (reason.empty() || report_.reason.find(reason) != std::string::npos)
    return;
  report_.reason += (report_.reason.empty() ? "" : "; ") + reason;
}

void branch_record::tell(std::string kind, std::string detail,
                         microseconds elapsed) const {
  tell_stage(std::move(kind), {}, elapsed, std::move(detail));
}

void branch_record::tell_stages(stage first) const {
  for (const auto& timing : report_.stages)
    if (timing.which >= first)
      tell_stage("stage.ended", to_string(timing.which), timing.elapsed, {});
}

void branch_record::tell_stage(std::string kind, std::string stage_name,
                               microseconds elapsed, std::string detail) const {
  context_.tell({.at = context_.wall(),
                 .kind = std::move(kind),
                 .host = context_.host,
                 .sandbox = request_.sandbox,
                 .tag = request_.tag,
                 .operation = request_.operation,
                 .stage = std::move(stage_name),
                 .elapsed = elapsed,
                 .detail = std::move(detail),
                 .subject = request_.subject});
}

status branch_record::check_cancel() const {
  if (context_.cancel && context_.cancel->is_asked())
    return fail(ec::cancelled, "by request; no snapshot was made");
  return {};
}

} // namespace forkfleet
