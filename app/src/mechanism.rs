//! The sentence that names the mechanism responsible, in Chinese. The engine writes it in English, of
//! few forms; a form that is not known here stays English rather than being guessed at.

/// The sentence in Chinese, or none if its form is not known.
#[must_use]
pub fn chinese(sentence: &str) -> Option<String> {
    match sentence {
        "service was never below what it was before the fault" => {
            return Some("服務從未低於故障前的水準".to_owned());
        }
        "the fault has no target in this world" => return Some("這裡沒有故障的對象".to_owned()),
        _ => {}
    }
    if let Some(rest) = sentence.strip_prefix("nothing has reacted to the fault by ") {
        let (time, machines) = rest.split_once(" (")?;
        return Some(format!(
            "到 {time} 為止，還沒有任何機制對故障做出反應（{}）",
            machines_up(machines)?
        ));
    }
    if let Some(rest) = sentence.strip_prefix("nothing reacted to the fault (") {
        let machines = rest.strip_suffix("; nothing is scheduled that could")?;
        return Some(format!(
            "沒有任何機制對故障做出反應（{}），也沒有排定任何會反應的事",
            machines_up(machines)?
        ));
    }
    if let Some(rest) = sentence.strip_prefix("not served as before by ") {
        let (time, reaction) = rest.split_once("; the last reaction was ")?;
        let (reaction, at) = reaction.rsplit_once(" at ")?;
        return Some(format!(
            "到 {time} 為止尚未恢復原有服務；最後的反應是 {}（{at}）",
            step(reaction)?
        ));
    }
    if let Some(rest) = sentence.strip_prefix("served as before since ") {
        let (time, long) = rest.split_once(", which counts when it has lasted ")?;
        return Some(format!("自 {time} 起已恢復原有服務，持續 {long} 才算數"));
    }
    if let Some(time) = sentence.strip_prefix("nothing was asked for by ") {
        return Some(format!("到 {time} 為止還沒有要求任何東西"));
    }
    if let Some(rest) = sentence.strip_prefix("converged at ") {
        return Some(format!(
            "{} 時收斂，沒有故障",
            rest.strip_suffix(" without faults")?
        ));
    }
    if let Some(rest) = sentence.strip_prefix("not converged at ") {
        let (time, unmet) = rest.split_once(": ")?;
        return Some(format!(
            "到 {time} 尚未收斂：{} 項未達成",
            unmet.strip_suffix(" unmet")?
        ));
    }
    let rest = sentence.strip_suffix(" after the fault")?;
    let at = rest.rfind("served as before ")?;
    let took = &rest[at + "served as before ".len()..];
    let served = format!("故障 {took} 後恢復原有服務");
    let parts = rest[..at].trim_end_matches(": ");
    if parts.is_empty() {
        return Some(served);
    }
    let steps: Option<Vec<String>> = parts.split("; then ").map(step).collect();
    Some(format!("{}：{served}", steps?.join("；接著 ")))
}

fn machines_up(text: &str) -> Option<String> {
    let (up, all) = text.strip_suffix(" machines up)")?.split_once(" of ")?;
    Some(format!("{all} 台機器中 {up} 台運作"))
}

/// `SOURCE VERB SUBJECT [after RULE VALUE]`.
fn step(text: &str) -> Option<String> {
    let (source, rest) = text.split_once(' ')?;
    const VERBS: [(&str, &str); 13] = [
        ("marked down", "標記為 Down："),
        ("marked NotReady", "標記為 NotReady："),
        ("bound", "綁定"),
        ("evicted", "驅逐"),
        ("created", "建立"),
        ("started", "啟動"),
        ("tainted", "加上 taint："),
        ("assigned", "指派"),
        ("restarted", "重新啟動"),
        ("ran", "執行"),
        ("programmed", "設定"),
        ("updated", "更新"),
        ("deleted", "刪除"),
    ];
    let known = VERBS
        .into_iter()
        .find_map(|(verb, word)| Some((rest.strip_prefix(verb)?.strip_prefix(' ')?, word)));
    let (rest, verb) = match known {
        Some(known) => known,
        None => {
            let (verb, rest) = rest.split_once(' ')?;
            (rest, verb)
        }
    };
    Some(match rest.split_once(" after ") {
        Some((subject, rule)) => format!("{source} 在 {rule} 之後{verb} {subject}"),
        None => format!("{source} {verb} {rest}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_forms_are_known() {
        let kubernetes = "kube-controller-manager marked NotReady node/worker-1 after node-monitor-grace-period 50s; then kube-scheduler bound pod/poll-x worker-2: served as before 5m52s after the fault";
        assert_eq!(
            chinese(kubernetes).as_deref(),
            Some(
                "kube-controller-manager 在 node-monitor-grace-period 50s 之後標記為 NotReady： node/worker-1；接著 kube-scheduler 綁定 pod/poll-x worker-2：故障 5m52s 後恢復原有服務"
            )
        );
        for sentence in [
            "nothing has reacted to the fault by 1m20s (3 of 4 machines up)",
            "nothing reacted to the fault (0 of 1 machines up); nothing is scheduled that could",
            "not served as before by 1m20s; the last reaction was swarm.agent ran task/app_queue.1 at 1m15.799s",
            "served as before since 7m2.5s, which counts when it has lasted 30s",
            "nothing was asked for by 0s",
            "converged at 12s without faults",
            "not converged at 1s: 3 unmet",
        ] {
            assert!(chinese(sentence).is_some(), "{sentence}");
        }
        assert_eq!(chinese("something else"), None);
    }
}
