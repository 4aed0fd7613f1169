//! What the words of the fault script and of the cluster's description mean, in Chinese. These languages
//! are Podium's own; what is not known here stays as the engine has it.

/// Meanings in English, as the engine gives them, and in Chinese.
const MEANINGS: [(&str, &str); 43] = [
    ("a machine loses power until healed", "機器斷電，直到復原"),
    (
        "a machine is switched off and boots again",
        "機器關掉後重新開機",
    ),
    (
        "A|B: two groups of machines cannot reach each other",
        "A|B：兩組機器彼此無法連線",
    ),
    (
        "a replica's containers get SIGKILL",
        "一個副本的容器收到 SIGKILL",
    ),
    ("one container gets SIGKILL", "一個容器收到 SIGKILL"),
    ("registries answer nobody", "映像檔倉庫不回應任何人"),
    (
        "registries send little at a time (rate=)",
        "映像檔倉庫傳得很慢（rate=）",
    ),
    ("an image vanishes from its registry", "映像檔從倉庫中消失"),
    (
        "all machines of a zone lose power",
        "一個區域的機器全部斷電",
    ),
    (
        "the machine whose manager leads loses power",
        "擔任 leader 的管理節點斷電",
    ),
    (
        "the kernel kills one container for memory",
        "核心因記憶體不足終止一個容器",
    ),
    (
        "threads that never sleep (cores=)",
        "從不休息的執行緒（cores=）",
    ),
    (
        "a replica takes more and more memory (rate=)",
        "一個副本佔用越來越多記憶體（rate=）",
    ),
    (
        "a machine's disk fills up (size=)",
        "機器的磁碟逐漸填滿（size=）",
    ),
    (
        "Kubernetes' API servers do not run",
        "Kubernetes 的 API server 停止執行",
    ),
    (
        "Kubernetes' API servers answer late (delay=)",
        "Kubernetes 的 API server 很晚才回應（delay=）",
    ),
    (
        "commits of Kubernetes' etcd take long (delay=)",
        "Kubernetes 的 etcd 提交得很慢（delay=）",
    ),
    (
        "the etcd member of a control machine does not run",
        "一台控制機器上的 etcd 成員停止執行",
    ),
    (
        "a controller process is killed and starts with cold caches",
        "控制器行程被終止，重啟時快取是空的",
    ),
    ("no scheduler runs", "沒有排程器在執行"),
    (
        "a node's kubelet does not run; its containers do",
        "節點的 kubelet 停止執行，容器仍在執行",
    ),
    (
        "a node's runtime answers nobody; its containers run",
        "節點的容器執行環境不回應，容器仍在執行",
    ),
    (
        "a node is cordoned and its pods are evicted",
        "節點停止接受排程，其上的 Pod 被驅逐",
    ),
    (
        "a watch lags (lag=) or stands still",
        "watch 落後（lag=）或停滯",
    ),
    ("a machine is told to shut down", "機器收到關機指令"),
    (
        "a kernel panics: a machine's, or a virtual machine's",
        "核心 panic：機器的，或虛擬機器的",
    ),
    (
        "a machine does not reach its disks over the network",
        "機器連不到網路上的磁碟",
    ),
    (
        "A|B, a machine or a replica: packets arrive later (200ms jitter=)",
        "A|B、機器或副本：封包較晚送達（200ms jitter=）",
    ),
    (
        "A|B, a machine or a replica: packets get lost (10%)",
        "A|B、機器或副本：封包遺失（10%）",
    ),
    (
        "a machine's disk answers late (200ms) or carries little (5Mi)",
        "機器的磁碟很晚才回應（200ms）或傳輸量很小（5Mi）",
    ),
    (
        "a machine's clock is ahead (+10m) or behind (-1h)",
        "機器的時鐘超前（+10m）或落後（-1h）",
    ),
    ("when: at 60s", "何時：at 60s"),
    ("how long: for 30s", "多久：for 30s"),
    ("how much", "多少"),
    ("a replica of the workload", "工作負載的一個副本"),
    (
        "the machine of a replica of the workload",
        "工作負載的一個副本所在的機器",
    ),
    (
        "N: workers of one shape, worker-1 to worker-N",
        "N：規格相同的工作機器 worker-1 到 worker-N",
    ),
    (
        "KEY=VALUE…: the shape of the workers, e.g. cpu=4 memory=8Gi",
        "KEY=VALUE…：工作機器的規格，例如 cpu=4 memory=8Gi",
    ),
    (
        "NAME KEY=VALUE…: a machine of its own; with one of these there are no others",
        "NAME KEY=VALUE…：單獨一台機器；只要有這種行，就沒有其他機器",
    ),
    (
        "N: Swarm's managers, control-1 to control-N",
        "N：Swarm 的管理節點 control-1 到 control-N",
    ),
    (
        "N: of every random number of the run",
        "N：這次執行所有隨機數的種子",
    ),
    (
        "KEY VALUE: a component's flag under its upstream name",
        "KEY VALUE：元件的旗標，用上游的名稱",
    ),
    (
        "NAMES…: which worlds run (of a scenario; beside manifests they tell it)",
        "NAMES…：執行哪些編排器（用於情境；有資訊清單時由其決定）",
    ),
];

/// A meaning in Chinese, with the word that it begins with, if any, before it; none: it is not known here.
#[must_use]
pub fn chinese(text: &str) -> Option<String> {
    MEANINGS.iter().find_map(|(english, chinese)| {
        let word = text.strip_suffix(english)?;
        (word.is_empty() || word.ends_with(' ')).then(|| format!("{word}{chinese}"))
    })
}

#[cfg(test)]
mod tests {
    use sim_core::host::EngineHost;
    use sim_core::protocol::{Answer, FAULTS, File, Query, Reply, Request};

    use super::*;

    /// What is said of each word that is offered at the end of a text.
    fn said(name: &str, text: &str) -> Vec<String> {
        let file = File {
            name: name.to_owned(),
            text: text.to_owned(),
        };
        let query = Query::Complete {
            offset: u32::try_from(text.len()).expect("it is short"),
            file,
        };
        let mut host = EngineHost::new();
        let replies = host.handle(Request::Ask { number: 1, query });
        let [
            Reply::Answer {
                answer: Answer::Words { words, .. },
                ..
            },
        ] = replies.as_slice()
        else {
            panic!("{replies:?}")
        };
        let details = words.iter().map(|word| word.detail.clone());
        details.filter(|detail| !detail.is_empty()).collect()
    }

    #[test]
    fn every_word_of_podiums_own_languages_has_its_meaning() {
        let mut all = [said(FAULTS, ""), said(crate::files::CLUSTER, "")].concat();
        all.extend(said(FAULTS, "cpu-hog worker-1 "));
        assert!(all.len() > 40, "{all:?}");
        for english in all {
            assert!(chinese(&english).is_some(), "{english}");
        }
        let hovered = "node-crash: a machine loses power until healed";
        assert_eq!(
            chinese(hovered).as_deref(),
            Some("node-crash: 機器斷電，直到復原")
        );
        assert_eq!(chinese("replicas: how many"), None);
    }
}
