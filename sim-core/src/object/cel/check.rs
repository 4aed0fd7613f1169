//! What an expression gives, before there are values: unknown names and fields, operators between
//! types that have none. Source: cel-go `checker/checker.go`, `common/stdlib`.

use std::sync::Arc;

use super::{Expr, Fault, Node, Ty};

/// The type of an expression.
///
/// # Errors
/// In cel-go's words with the place, or what is not modelled.
pub fn check(expr: &Expr, variables: &[(&str, Ty)]) -> Result<Ty, Fault> {
    let mut scope = variables
        .iter()
        .map(|(name, ty)| (Arc::from(*name), ty.clone()))
        .collect();
    node(expr, &mut scope)
}

type Names = Vec<(Arc<str>, Ty)>;

fn node(expr: &Expr, scope: &mut Names) -> Result<Ty, Fault> {
    Ok(match &expr.node {
        Node::Literal(value) => super::eval::type_of(value),
        Node::Name(name) => match scope.iter().rev().find(|(known, _)| known == name) {
            Some((_, ty)) => ty.clone(),
            None => {
                let text = format!("undeclared reference to '{name}' (in container '')");
                return Err(Fault::Wrong(expr.at, text));
            }
        },
        Node::List(items) => {
            let mut of = None;
            for item in items {
                let ty = node(item, scope)?;
                of = Some(match of {
                    None => ty,
                    Some(of) if of == ty => of,
                    Some(_) => Ty::Any,
                });
            }
            Ty::List(Box::new(of.unwrap_or(Ty::Any)))
        }
        Node::Map(entries) => {
            for (key, value) in entries {
                if !matches!(node(key, scope)?, Ty::Text | Ty::Any) {
                    return Err(Fault::lacks("map(int, …)"));
                }
                node(value, scope)?;
            }
            Ty::Map(Box::new(Ty::Any))
        }
        Node::Select { of, field, has } => {
            let of = node(of, scope)?;
            let inner = select(expr.at, &of, field)?;
            if *has { Ty::Bool } else { inner }
        }
        Node::Index(pair) => index(expr.at, &node(&pair[0], scope)?, &node(&pair[1], scope)?)?,
        Node::Prefix(sign, of) => {
            let of = node(of, scope)?;
            match (sign, &of) {
                ('!', Ty::Bool | Ty::Any) => Ty::Bool,
                ('-', Ty::Int | Ty::Double | Ty::Any) => of,
                _ => return Err(no_overload(expr.at, &format!("{sign}_"), &[&of])),
            }
        }
        Node::Binary(operator, pair) => {
            let (one, two) = (node(&pair[0], scope)?, node(&pair[1], scope)?);
            binary(expr.at, operator, &one, &two)?
        }
        Node::Either(three) => {
            let condition = node(&three[0], scope)?;
            let (yes, no) = (node(&three[1], scope)?, node(&three[2], scope)?);
            if !matches!(condition, Ty::Bool | Ty::Any) || !agree(&yes, &no) {
                return Err(no_overload(expr.at, "_?_:_", &[&condition, &yes, &no]));
            }
            if yes == no { yes } else { Ty::Any }
        }
        Node::Call { name, of, .. } => {
            let mut given = Vec::new();
            for one in of {
                given.push(node(one, scope)?);
            }
            call(expr.at, name, &given)?
        }
        Node::Macro { .. } => comprehension(expr, scope)?,
    })
}

fn foreign(ty: &Ty) -> Result<(), Fault> {
    match ty {
        Ty::Foreign(name) => Err(Fault::lacks(name)),
        _ => Ok(()),
    }
}

fn no_overload(at: u32, operator: &str, of: &[&Ty]) -> Fault {
    let types: Vec<String> = of.iter().map(|ty| ty.text()).collect();
    let text = format!(
        "found no matching overload for '{operator}' applied to '({})'",
        types.join(", ")
    );
    Fault::Wrong(at, text)
}

fn select(at: u32, of: &Ty, field: &str) -> Result<Ty, Fault> {
    foreign(of)?;
    match of {
        Ty::Any => Ok(Ty::Any),
        Ty::Map(inner) => Ok(Ty::clone(inner)),
        Ty::Object(fields) => fields
            .iter()
            .find(|(name, _)| **name == *field)
            .map(|(_, ty)| ty.clone())
            .ok_or_else(|| Fault::Wrong(at, format!("undefined field '{field}'"))),
        other => Err(Fault::Wrong(
            at,
            format!("type '{}' does not support field selection", other.text()),
        )),
    }
}

fn index(at: u32, of: &Ty, by: &Ty) -> Result<Ty, Fault> {
    match (of, by) {
        (Ty::Any, _) => Ok(Ty::Any),
        (Ty::List(inner), Ty::Int | Ty::Any) | (Ty::Map(inner), Ty::Text | Ty::Any) => {
            Ok(Ty::clone(inner))
        }
        _ => Err(no_overload(at, "_[_]", &[of, by])),
    }
}

/// Whether values of both can be compared.
fn agree(one: &Ty, two: &Ty) -> bool {
    match (one, two) {
        (Ty::Any, _) | (_, Ty::Any) => true,
        (Ty::List(one), Ty::List(two)) | (Ty::Map(one), Ty::Map(two)) => agree(one, two),
        (Ty::Null, Ty::Object(_)) | (Ty::Object(_), Ty::Null) => true,
        _ => one == two,
    }
}

fn binary(at: u32, operator: &str, one: &Ty, two: &Ty) -> Result<Ty, Fault> {
    foreign(one)?;
    foreign(two)?;
    let refused = || no_overload(at, &shown(operator), &[one, two]);
    let truth = |ty: &Ty| matches!(ty, Ty::Bool | Ty::Any);
    let number = |ty: &Ty| matches!(ty, Ty::Int | Ty::Double | Ty::Any);
    match operator {
        "&&" | "||" if truth(one) && truth(two) => Ok(Ty::Bool),
        "==" | "!=" if agree(one, two) || number(one) && number(two) => Ok(Ty::Bool),
        "<" | "<=" | ">" | ">="
            if number(one) && number(two)
                || agree(one, two) && matches!(one, Ty::Text | Ty::Bool | Ty::Any) =>
        {
            Ok(Ty::Bool)
        }
        "in" => match two {
            Ty::Any => Ok(Ty::Bool),
            Ty::List(inner) if agree(one, inner) || number(one) && number(inner) => Ok(Ty::Bool),
            Ty::Map(_) if matches!(one, Ty::Text | Ty::Any) => Ok(Ty::Bool),
            _ => Err(refused()),
        },
        "+" => match (one, two) {
            (Ty::Any, other) | (other, Ty::Any) => Ok(match other {
                Ty::Bool | Ty::Null | Ty::Map(_) | Ty::Object(_) => return Err(refused()),
                _ => Ty::Any,
            }),
            (Ty::List(_), Ty::List(_)) if agree(one, two) => Ok(one.clone()),
            (Ty::Int | Ty::Double | Ty::Text, _) if one == two => Ok(one.clone()),
            _ => Err(refused()),
        },
        "%" if agree(one, two) && matches!(one, Ty::Int | Ty::Any) => Ok(Ty::Int),
        "-" | "*" | "/" if agree(one, two) && number(one) && number(two) => {
            Ok(if *one == Ty::Any {
                two.clone()
            } else {
                one.clone()
            })
        }
        _ => Err(refused()),
    }
}

/// An operator as cel-go names its function.
fn shown(operator: &str) -> String {
    if operator == "in" {
        "@in".to_owned()
    } else {
        format!("_{operator}_")
    }
}

fn call(at: u32, name: &str, given: &[Ty]) -> Result<Ty, Fault> {
    for ty in given {
        foreign(ty)?;
    }
    let refused = || no_overload(at, name, &given.iter().collect::<Vec<_>>());
    let first = &given[0];
    let all_text = given.iter().all(|ty| matches!(ty, Ty::Text | Ty::Any));
    let list = match first {
        Ty::List(inner) => Some(Ty::clone(inner)),
        Ty::Any => Some(Ty::Any),
        _ => None,
    };
    match name {
        "size" => match first {
            Ty::Text | Ty::List(_) | Ty::Map(_) | Ty::Any => Ok(Ty::Int),
            _ => Err(refused()),
        },
        "int" if matches!(first, Ty::Int | Ty::Double | Ty::Text | Ty::Any) => Ok(Ty::Int),
        "double" if matches!(first, Ty::Int | Ty::Double | Ty::Text | Ty::Any) => Ok(Ty::Double),
        "string" if !matches!(first, Ty::List(_) | Ty::Map(_) | Ty::Object(_)) => Ok(Ty::Text),
        "dyn" => Ok(Ty::Any),
        "startsWith" | "endsWith" | "contains" | "matches" if all_text => Ok(Ty::Bool),
        "lowerAscii" | "upperAscii" | "trim" | "replace" if all_text => Ok(Ty::Text),
        "split" if all_text => Ok(Ty::List(Box::new(Ty::Text))),
        "substring" if matches!(first, Ty::Text | Ty::Any) => Ok(Ty::Text),
        "join" if matches!(list, Some(Ty::Text | Ty::Any)) => Ok(Ty::Text),
        "indexOf" | "lastIndexOf" if all_text || list.is_some() => Ok(Ty::Int),
        "isSorted" if list.is_some() => Ok(Ty::Bool),
        "sum" | "min" | "max" => list.ok_or_else(refused),
        _ => Err(refused()),
    }
}

fn comprehension(expr: &Expr, scope: &mut Names) -> Result<Ty, Fault> {
    let Node::Macro {
        name,
        of,
        variable,
        bodies,
    } = &expr.node
    else {
        return Ok(Ty::Any);
    };
    let of = node(of, scope)?;
    let item = match &of {
        Ty::Any => Ty::Any,
        Ty::List(inner) => Ty::clone(inner),
        Ty::Map(_) => Ty::Text,
        other => {
            let text = format!(
                "expression of type '{}' cannot be range of a comprehension (must be list, map, or dynamic)",
                other.text()
            );
            return Err(Fault::Wrong(expr.at, text));
        }
    };
    scope.push((variable.clone(), item.clone()));
    let mut types = Vec::new();
    for body in bodies {
        types.push((body.at, node(body, scope)?));
    }
    scope.pop();
    let conditions = types.len() - usize::from(*name == "map");
    for (at, ty) in &types[..conditions] {
        if !matches!(ty, Ty::Bool | Ty::Any) {
            return Err(no_overload(*at, "_&&_", &[&Ty::Bool, ty]));
        }
    }
    Ok(match *name {
        "filter" => Ty::List(Box::new(item)),
        "map" => {
            let last = types.pop().map_or(Ty::Any, |(_, ty)| ty);
            Ty::List(Box::new(last))
        }
        _ => Ty::Bool,
    })
}
