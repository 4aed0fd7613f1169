//! Headers of the tables, kind by kind.
//! Source: `pkg/printers/internalversion/printers.go` (AddHandlers).

use crate::kube::kinds::Kind;

/// A column: its header, and whether only `-o wide` shows it.
pub type Column = (&'static str, bool);

/// A column that is always shown.
pub(super) const fn col(header: &'static str) -> Column {
    (header, false)
}

/// A column that only `-o wide` shows.
const fn wide(header: &'static str) -> Column {
    (header, true)
}

/// Columns of a kind.
pub fn columns(kind: &Kind) -> &'static [Column] {
    match kind.kind {
        "Pod" => {
            const {
                &[
                    col("NAME"),
                    col("READY"),
                    col("STATUS"),
                    col("RESTARTS"),
                    col("AGE"),
                    wide("IP"),
                    wide("NODE"),
                    wide("NOMINATED NODE"),
                    wide("READINESS GATES"),
                ]
            }
        }
        "PodTemplate" => {
            const {
                &[
                    col("NAME"),
                    col("CONTAINERS"),
                    col("IMAGES"),
                    col("POD LABELS"),
                ]
            }
        }
        "Deployment" => {
            const {
                &[
                    col("NAME"),
                    col("READY"),
                    col("UP-TO-DATE"),
                    col("AVAILABLE"),
                    col("AGE"),
                    wide("CONTAINERS"),
                    wide("IMAGES"),
                    wide("SELECTOR"),
                ]
            }
        }
        "ReplicaSet" | "ReplicationController" => {
            const {
                &[
                    col("NAME"),
                    col("DESIRED"),
                    col("CURRENT"),
                    col("READY"),
                    col("AGE"),
                    wide("CONTAINERS"),
                    wide("IMAGES"),
                    wide("SELECTOR"),
                ]
            }
        }
        "StatefulSet" => {
            const {
                &[
                    col("NAME"),
                    col("READY"),
                    col("AGE"),
                    wide("CONTAINERS"),
                    wide("IMAGES"),
                ]
            }
        }
        "DaemonSet" => {
            const {
                &[
                    col("NAME"),
                    col("DESIRED"),
                    col("CURRENT"),
                    col("READY"),
                    col("UP-TO-DATE"),
                    col("AVAILABLE"),
                    col("NODE SELECTOR"),
                    col("AGE"),
                    wide("CONTAINERS"),
                    wide("IMAGES"),
                    wide("SELECTOR"),
                ]
            }
        }
        "Job" => {
            const {
                &[
                    col("NAME"),
                    col("STATUS"),
                    col("COMPLETIONS"),
                    col("DURATION"),
                    col("AGE"),
                    wide("CONTAINERS"),
                    wide("IMAGES"),
                    wide("SELECTOR"),
                ]
            }
        }
        "CronJob" => {
            const {
                &[
                    col("NAME"),
                    col("SCHEDULE"),
                    col("TIMEZONE"),
                    col("SUSPEND"),
                    col("ACTIVE"),
                    col("LAST SCHEDULE"),
                    col("AGE"),
                    wide("CONTAINERS"),
                    wide("IMAGES"),
                    wide("SELECTOR"),
                ]
            }
        }
        "ControllerRevision" => {
            const { &[col("NAME"), col("CONTROLLER"), col("REVISION"), col("AGE")] }
        }
        "HorizontalPodAutoscaler" => {
            const {
                &[
                    col("NAME"),
                    col("REFERENCE"),
                    col("TARGETS"),
                    col("MINPODS"),
                    col("MAXPODS"),
                    col("REPLICAS"),
                    col("AGE"),
                ]
            }
        }
        "PodDisruptionBudget" => {
            const {
                &[
                    col("NAME"),
                    col("MIN AVAILABLE"),
                    col("MAX UNAVAILABLE"),
                    col("ALLOWED DISRUPTIONS"),
                    col("AGE"),
                ]
            }
        }
        "Service" => {
            const {
                &[
                    col("NAME"),
                    col("TYPE"),
                    col("CLUSTER-IP"),
                    col("EXTERNAL-IP"),
                    col("PORT(S)"),
                    col("AGE"),
                    wide("SELECTOR"),
                ]
            }
        }
        "Endpoints" => const { &[col("NAME"), col("ENDPOINTS"), col("AGE")] },
        "EndpointSlice" => {
            const {
                &[
                    col("NAME"),
                    col("ADDRESSTYPE"),
                    col("PORTS"),
                    col("ENDPOINTS"),
                    col("AGE"),
                ]
            }
        }
        "Ingress" => {
            const {
                &[
                    col("NAME"),
                    col("CLASS"),
                    col("HOSTS"),
                    col("ADDRESS"),
                    col("PORTS"),
                    col("AGE"),
                ]
            }
        }
        "IngressClass" => {
            const {
                &[
                    col("NAME"),
                    col("CONTROLLER"),
                    col("PARAMETERS"),
                    col("AGE"),
                ]
            }
        }
        "NetworkPolicy" => const { &[col("NAME"), col("POD-SELECTOR"), col("AGE")] },
        "Node" => {
            const {
                &[
                    col("NAME"),
                    col("STATUS"),
                    col("ROLES"),
                    col("AGE"),
                    col("VERSION"),
                    wide("INTERNAL-IP"),
                    wide("EXTERNAL-IP"),
                    wide("OS-IMAGE"),
                    wide("KERNEL-VERSION"),
                    wide("CONTAINER-RUNTIME"),
                ]
            }
        }
        "Event" => {
            const {
                &[
                    col("LAST SEEN"),
                    col("TYPE"),
                    col("REASON"),
                    col("OBJECT"),
                    wide("SUBOBJECT"),
                    wide("SOURCE"),
                    col("MESSAGE"),
                    wide("FIRST SEEN"),
                    wide("COUNT"),
                    wide("NAME"),
                ]
            }
        }
        "Namespace" => const { &[col("NAME"), col("STATUS"), col("AGE")] },
        "Lease" => const { &[col("NAME"), col("HOLDER"), col("AGE")] },
        "PriorityClass" => {
            const {
                &[
                    col("NAME"),
                    col("VALUE"),
                    col("GLOBAL-DEFAULT"),
                    col("AGE"),
                    col("PREEMPTIONPOLICY"),
                ]
            }
        }
        "RuntimeClass" => const { &[col("NAME"), col("HANDLER"), col("AGE")] },
        "ResourceQuota" => const { &[col("NAME"), col("REQUEST"), col("LIMIT"), col("AGE")] },
        "LimitRange" | "Role" | "ClusterRole" | "CustomResourceDefinition" => {
            const { &[col("NAME"), col("CREATED AT")] }
        }
        "RoleBinding" | "ClusterRoleBinding" => {
            const {
                &[
                    col("NAME"),
                    col("ROLE"),
                    col("AGE"),
                    wide("USERS"),
                    wide("GROUPS"),
                    wide("SERVICEACCOUNTS"),
                ]
            }
        }
        "ConfigMap" => const { &[col("NAME"), col("DATA"), col("AGE")] },
        "Secret" => const { &[col("NAME"), col("TYPE"), col("DATA"), col("AGE")] },
        "PersistentVolume" => {
            const {
                &[
                    col("NAME"),
                    col("CAPACITY"),
                    col("ACCESS MODES"),
                    col("RECLAIM POLICY"),
                    col("STATUS"),
                    col("CLAIM"),
                    col("STORAGECLASS"),
                    col("VOLUMEATTRIBUTESCLASS"),
                    col("REASON"),
                    col("AGE"),
                    wide("VOLUMEMODE"),
                ]
            }
        }
        "PersistentVolumeClaim" => {
            const {
                &[
                    col("NAME"),
                    col("STATUS"),
                    col("VOLUME"),
                    col("CAPACITY"),
                    col("ACCESS MODES"),
                    col("STORAGECLASS"),
                    col("VOLUMEATTRIBUTESCLASS"),
                    col("AGE"),
                    wide("VOLUMEMODE"),
                ]
            }
        }
        "StorageClass" => {
            const {
                &[
                    col("NAME"),
                    col("PROVISIONER"),
                    col("RECLAIMPOLICY"),
                    col("VOLUMEBINDINGMODE"),
                    col("ALLOWVOLUMEEXPANSION"),
                    col("AGE"),
                ]
            }
        }
        "VolumeAttachment" => {
            const {
                &[
                    col("NAME"),
                    col("ATTACHER"),
                    col("PV"),
                    col("NODE"),
                    col("ATTACHED"),
                    col("AGE"),
                ]
            }
        }
        "CSIDriver" => {
            const {
                &[
                    col("NAME"),
                    col("ATTACHREQUIRED"),
                    col("PODINFOONMOUNT"),
                    col("STORAGECAPACITY"),
                    col("TOKENREQUESTS"),
                    col("REQUIRESREPUBLISH"),
                    col("MODES"),
                    col("AGE"),
                ]
            }
        }
        "CSINode" => const { &[col("NAME"), col("DRIVERS"), col("AGE")] },
        "ValidatingAdmissionPolicy" => {
            const {
                &[
                    col("NAME"),
                    col("VALIDATIONS"),
                    col("PARAMKIND"),
                    col("AGE"),
                ]
            }
        }
        "ValidatingAdmissionPolicyBinding" => {
            const { &[col("NAME"), col("POLICYNAME"), col("PARAMREF"), col("AGE")] }
        }
        kind => super::kept::headers(kind).unwrap_or(const { &[col("NAME"), col("AGE")] }),
    }
}
